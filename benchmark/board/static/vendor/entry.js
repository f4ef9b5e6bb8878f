/** The globals `Plot`, `d3` and `Table`: only what pages use of them, so that the bundle stays small. */
import {
  areaY, axisX, axisY, barX, barY, cell, dot, frame, gridX, gridY, line, lineY, link, plot, pointer, pointerX, rect,
  ruleX, ruleY, text, tickX, tickY, tip,
} from '@observablehq/plot';
import {
  columnFilteringFeature, columnVisibilityFeature, constructTable, createFilteredRowModel, createPaginatedRowModel,
  createSortedRowModel, globalFilteringFeature, rowPaginationFeature, rowSortingFeature, tableFeatures,
} from '@tanstack/table-core';
import { storeReactivityBindings } from '@tanstack/table-core/store-reactivity-bindings';
import { extent, group, interpolateCividis, max, min, scaleLinear, scaleSequential, ticks } from 'd3';

Object.assign(window, {
  Plot: {
    areaY, axisX, axisY, barX, barY, cell, dot, frame, gridX, gridY, line, lineY, link, plot, pointer, pointerX, rect,
    ruleX, ruleY, text, tickX, tickY, tip,
  },
  Table: {
    columnFilteringFeature, columnVisibilityFeature, constructTable, createFilteredRowModel, createPaginatedRowModel,
    createSortedRowModel, globalFilteringFeature, rowPaginationFeature, rowSortingFeature, storeReactivityBindings,
    tableFeatures,
  },
  d3: { extent, group, interpolateCividis, max, min, scaleLinear, scaleSequential, ticks },
});
