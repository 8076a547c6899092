"""What a configuration says and probably doesn't mean: `meshcore analyze`.

Refuses nothing: what is wrong by itself is a problem, which stands among the findings too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.analyze.catalogue import ENTRIES, Level
from meshcore.config.sources.istio.analyze.destination_rules import destination_rules
from meshcore.config.sources.istio.analyze.finding import Analysis, Finding
from meshcore.config.sources.istio.analyze.gateways import gateways
from meshcore.config.sources.istio.analyze.limits import limits
from meshcore.config.sources.istio.analyze.localities import localities
from meshcore.config.sources.istio.analyze.policies import policies
from meshcore.config.sources.istio.analyze.reachability import reachability
from meshcore.config.sources.istio.analyze.references import references
from meshcore.config.sources.istio.analyze.service_entries import deprecated, service_entries
from meshcore.config.sources.istio.analyze.virtual_services import virtual_services
from meshcore.config.sources.istio.objects import read_objects
from meshcore.config.sources.istio.translate.client import clients
from meshcore.config.sources.istio.translate.clusters.registry import registry

if TYPE_CHECKING:
    from meshcore.config.sources.merged import Merged
    from meshcore.errors import Problem

LEVELS: tuple[Level, ...] = ("info", "warning", "error")
"""From harmless to bad."""

REFUSED = "IST0106"


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding with its file, line and column."""

    code: str
    level: Level
    about: str
    """The object; empty for what is no object's."""
    problem: Problem

    def __str__(self) -> str:
        """One line."""
        place = f"{self.problem.file}:{self.problem.line}:{self.problem.column}: "
        about = f"{self.about}: " if self.about else ""
        where = place if self.problem.file else ""
        hint = f" (hint: {self.problem.hint})" if self.problem.hint else ""
        return f"{where}{self.level} {self.code} {about}{self.problem.message}{hint}"

    def to_json(self) -> dict[str, str | int]:
        """The form that `-o json` prints."""
        found: dict[str, str | int] = {
            "code": self.code,
            "name": ENTRIES[self.code].name if self.code in ENTRIES else "",
            "level": self.level,
            "object": self.about,
        }
        rest = {key: value for key, value in self.problem.to_json().items() if key != "code"}
        return found | rest


def findings(merged: Merged, problems: list[Problem]) -> list[Placed]:
    """All that is found, in the order of the documents.

    Args:
        merged: The documents as they were read.
        problems: What they are refused for.
    """
    # Translated documents have lists of their own; the clients are read from what users wrote.
    objects = read_objects(merged.foreign)
    found = list(clients(merged.value.get("listeners")))
    analysis = Analysis(objects, registry(objects), found)
    for analyse in (
        references,
        reachability,
        virtual_services,
        destination_rules,
        policies,
        localities,
        limits,
        gateways,
        service_entries,
        deprecated,
    ):
        analyse(analysis)
    placed = [_placed(merged, finding) for finding in analysis.findings]
    placed += [_refused(merged, problem) for problem in problems]
    return sorted(
        dict.fromkeys(placed),
        key=lambda at: (at.problem.file, at.problem.line, at.problem.column, at.code),
    )


def _placed(merged: Merged, finding: Finding) -> Placed:
    trouble = Trouble((), finding.code, finding.message)
    problem = merged.placed_at(finding.at, trouble)
    return Placed(finding.code, finding.level, finding.about, problem)


def _refused(merged: Merged, problem: Problem) -> Placed:
    """A problem as a finding; one of a native document keeps its own code."""
    of_istio = problem.path.startswith(("spec", "metadata", "kind"))
    return Placed(REFUSED if of_istio and merged.foreign else problem.code, "error", "", problem)
