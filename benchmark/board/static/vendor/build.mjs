/**
 * Builds ../vendor.js, LICENSES and vendor.json from the exact versions in package.json and package-lock.json.
 *
 *   npm ci && npm run build          (Node 20 or newer; delete node_modules afterwards)
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, version } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const INLINED = ['internmap']; // d3-array carries it inside its own file
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** Folder of the package that a bundled file belongs to. */
function packageOf(file) {
  let folder = dirname(resolve(here, file));
  while (!existsSync(join(folder, 'package.json')) || !read(join(folder, 'package.json')).version) folder = dirname(folder);
  return folder;
}

/** Text of a package's licence file. */
function licence(folder) {
  const name = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (!name) throw new Error(`${folder} holds no licence file`);
  return readFileSync(join(folder, name), 'utf8').trim();
}

const out = join(here, '..', 'vendor.js');
const { metafile } = await build({
  absWorkingDir: here, entryPoints: ['entry.js'], outfile: out, bundle: true, minify: true, format: 'iife',
  target: 'es2022', charset: 'ascii', legalComments: 'none', metafile: true,
  banner: { js: '/* Observable Plot, D3 and TanStack Table; licences: vendor-licenses.txt */' },
});
const [[, { inputs }]] = Object.entries(metafile.outputs);
const bundled = Object.entries(inputs).filter(([file, { bytesInOutput }]) => file.includes('node_modules') && bytesInOutput);
const inlined = INLINED.map((name) => join('node_modules', name, 'package.json'));
const folders = [...new Set([...bundled.map(([file]) => file), ...inlined].map(packageOf))];
const packages = folders
  .map((folder) => ({ folder, ...read(join(folder, 'package.json')) }))
  .sort((a, b) => (a.name < b.name ? -1 : 1));
const bytes = readFileSync(out);
const facts = {
  file: 'vendor.js',
  sha256: createHash('sha256').update(bytes).digest('hex'),
  bytes: bytes.length,
  gzip_bytes: gzipSync(bytes, { level: 9 }).length,
  built_with: `esbuild ${version}`,
  packages: packages.map(({ name, version: number, license }) => ({ name, version: number, license })),
};
writeFileSync(join(here, 'vendor.json'), `${JSON.stringify(facts, null, 2)}\n`);
const texts = packages.map(({ folder, name, version: number, license }) =>
  `${name} ${number} (${license})\n${'-'.repeat(60)}\n${licence(folder)}\n`);
writeFileSync(join(here, 'LICENSES'), `${texts.join(`\n${'='.repeat(60)}\n\n`)}`);
console.log(`${relative(process.cwd(), out)}: ${facts.bytes} bytes, ${facts.gzip_bytes} gzipped, ${packages.length} packages`);
