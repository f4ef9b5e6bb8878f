"""YAML as people write it here: plain data, no aliases (no YAML bombs), no repeated keys; and its text, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

MAX_NESTING = 32
"""Levels that the C library reads; deeper text is left to the reader in Python, which ends with an error."""


class _Plain(yaml.constructor.SafeConstructor):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise yaml.MarkedYAMLError(problem="a key must be a plain value", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Loader(_Plain, yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


if yaml.__with_libyaml__:

    class _Quick(_Plain, yaml.CSafeLoader):
        pass


def parse(text: str) -> Any:
    """Data of one document. The C library reads it where PyYAML has it; what that refuses, Python reads or refuses.

    Raises:
        yaml.YAMLError: for text that is no YAML, aliases, keys that are no plain values, and repeated keys.
        RecursionError: when it is nested too deeply.
        ValueError: for a value that cannot be, such as a date in month 99.
    """
    if yaml.__with_libyaml__ and "\t" not in text:  # the two differ over tabs
        try:
            if _flat(yaml.parse(text, Loader=yaml.CSafeLoader)):
                return yaml.load(text, Loader=_Quick)  # noqa: S506 (a SafeLoader, made stricter)
        except yaml.YAMLError:
            pass
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader, made stricter)


def _flat(events: Iterable[yaml.Event]) -> bool:
    """Whether there are no aliases and few levels: the C library counts neither."""
    level = 0
    for event in events:
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > MAX_NESTING or isinstance(event, yaml.AliasEvent):
            return False
    return True


def text_of(data: object) -> str:
    """Plain data as YAML for people, in its own order; by the C library where PyYAML has it, which is ten times faster."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110))
