"""Rule files that are saved while a hub runs here: each partner whose files changed is applied again at once.

A file that is broken changes nothing: the live versions go on deciding, and the log says where the file is wrong.
Where rules need approval, files are only checked: whoever writes a file on this machine is not the user of the key.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.errors import Fault, InterlineError, Unavailable
from cli import bundles
from cli.bundles import Folder
from cli.client import HubClient
from local.home import write_private

_POLL_S = 1.0
#: An editor may still be writing: a change is looked at when the files have stood still for so long.
_STILL_S = 0.2
_STOP_S = 40.0
_SOURCE = "rules"

#: What was not done, and a person must see to.
_LEFT = frozenset({"awaits_promotion", "withdrawn", "behind"})
_NOT_SAVED = (
    "Rules need approval here, so nothing was saved: `hub rules save FILE` or `hub rules plan`, with your own key."
)

#: Name in the folder -> (modified at, in nanoseconds; bytes).
Seen = Mapping[str, tuple[int, int]]
Say = Callable[[str, str], None]


class RuleWatcher:
    """Watches one folder of rule files for one hub. ``seen`` keeps on disk what was looked at, also between starts.

    ``saves`` False: it only tells what the files would change.
    """

    def __init__(self, folder: Path, client: HubClient, seen: Path, say: Say, *, saves: bool = True) -> None:
        self._folder = folder
        self._client = client
        self._path = seen
        self._say = say
        self._saves = saves
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rules", daemon=True)

    def begin(self, applied: Seen | None) -> None:
        """Start watching; ``applied`` is what the folder held when it was applied as a whole at this start.

        Without it, what was saved since the last look is applied now: while no hub ran, nobody looked.
        """
        if applied is not None:
            self._keep(applied)
        elif not self._path.exists():
            self._keep(snapshot(self._folder))
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; what is being applied is waited for."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def look(self) -> None:
        """Apply what has changed since the last look, if anything has."""
        before, now = self._known(), snapshot(self._folder)
        if now == before:
            return
        self._stopped.wait(_STILL_S)
        if snapshot(self._folder) != now:
            return
        changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
        try:
            self._apply(changed)
        except Unavailable as error:
            # The hub is being started again: the next look finds the same change.
            self._note("WARNING", f"The rules wait for the hub: {error.message}")
            return
        self._keep(now)

    def _run(self) -> None:
        while not self._stopped.wait(_POLL_S):
            self.look()

    def _apply(self, changed: set[str]) -> None:
        folder, faults = bundles.readable(self._folder)
        for fault in faults:
            if fault.pointer.partition("#")[0] in changed:
                self._broken(fault)
        for name in sorted(changed):
            if not (self._folder / name).exists():
                self._note("WARNING", f"{name} is gone; what it said stays in the hub.")
        self._pipelines(folder, changed)
        told: set[Fault] = set()
        for partner in _partners(folder, changed):
            self._one(folder, partner, told)

    def _pipelines(self, folder: Folder, changed: set[str]) -> None:
        """Say of changed pipelines whether they are right; a hub is not given them."""
        unread = [fault for fault in folder.pipeline_faults if fault.pointer.partition("#")[0] in changed]
        if not unread and not any(file.name in changed for file in folder.pipelines):
            return
        from cli.rules import pipelines

        faults = [*unread, *pipelines.check(folder.pipelines).faults]
        for fault in faults:
            self._note("ERROR", f"{fault.pointer}: {fault.message.rstrip('.')}.", code=fault.code)
        if not faults:
            self._note("INFO", "Checked: the pipelines are right.")

    def _one(self, folder: Folder, partner: str, told: set[Fault]) -> None:
        try:
            plan = bundles.apply(self._client, folder.bundle(partner), dry_run=not self._saves)
        except Unavailable:
            raise
        except InterlineError as error:
            # A shared file is wrong for every partner, and said once.
            for fault in [each for each in error.faults if each not in told]:
                self._broken(fault)
                told.add(fault)
            if not error.faults:
                self._note("ERROR", f"{partner} is not changed: {error.message}", code=error.code)
            return
        steps = [step for step in plan["steps"] if step["action"] != "unchanged"]
        if not steps:
            self._note("INFO", f"{'Saved' if self._saves else 'Checked'}; it changes nothing.", partner=partner)
        elif self._saves:
            for step in steps:
                self._note("WARNING" if step["action"] in _LEFT else "INFO", _sentence(step), partner=partner)
        else:
            named = ", ".join(dict.fromkeys(f"{_kind(step)} {step['code']}" for step in steps))
            self._note("INFO", f"Checked: {named} would change. {_NOT_SAVED}", partner=partner)

    def _broken(self, fault: Fault) -> None:
        sentence = fault.message.rstrip(".")
        self._note("ERROR", f"{fault.pointer}: {sentence}. The live version goes on deciding.", code=fault.code)

    def _note(self, level: str, message: str, **fields: object) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._say(_SOURCE, json.dumps({"time": time, "level": level, "message": message, **fields}))

    def _known(self) -> Seen:
        try:
            found = json.loads(self._path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return {name: (modified, length) for name, (modified, length) in found.items()}

    def _keep(self, seen: Seen) -> None:
        write_private(self._path, json.dumps(seen))


def snapshot(folder: Path) -> Seen:
    """Every rule file of a folder and when it was written."""
    return dict(_stats(folder))


def _stats(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    for name in bundles.FOLDERS:
        for path in sorted((folder / name).glob("*.json")):
            try:
                stat = path.stat()
            except FileNotFoundError:
                # Replaced between the look at the folder and the look at the file.
                continue
            yield f"{name}/{path.name}", (stat.st_mtime_ns, stat.st_size)


def _partners(folder: Folder, changed: set[str]) -> list[str]:
    """Whom the changed files concern: their owners, and everybody for what all use."""
    concerned: set[str] = set()
    for partner, manifest in folder.manifests.items():
        own = [manifest, *(file for found in folder.documents.values() for file in found if file.is_for(partner))]
        if any(file.name in changed for file in own):
            concerned.add(partner)
    return sorted(concerned)


def _sentence(step: Mapping[str, Any]) -> str:
    """What one step did."""
    kind, code, after = _kind(step), step["code"], step["after"]
    match step["action"], step["kind"]:
        case (("awaits_promotion" | "withdrawn" | "behind"), _):
            return f"{code} version {after['version']} does not decide by its file: {'; '.join(step['changes'])}."
        case "awaits_approval", _:
            return f"{code} version {after['version']} is saved and awaits approval; it decides nothing yet."
        case _, "activation":
            return f"{code} version {after['version']} decides from {after['effective_from']} on."
        case _, "ruleset":
            said = "; ".join(step["changes"])
            return f"{code} version {after['version']} is saved{': ' if said else ''}{said}."
    said = "; ".join(step["changes"]) or ", ".join(f"{name} {value}" for name, value in after.items())
    word = "new" if step["action"] == "create" else "changed"
    return f"{kind} {code} is {word}{': ' if said else ''}{said}."


def _kind(step: Mapping[str, Any]) -> str:
    return str(step["kind"]).replace("_", " ")
