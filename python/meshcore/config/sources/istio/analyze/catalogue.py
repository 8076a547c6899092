"""Every kind of finding: code, name, level, cause and remedy; docs/analyze.md is made of it.

Istio's codes stand where Istio has one, with its names and levels; MC codes are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of finding."""

    code: str
    name: str
    level: Level
    cause: str
    remedy: str


_ISTIO = (
    Entry(
        "IST0101",
        "ReferencedResourceNotFound",
        "error",
        "A VirtualService names a gateway, host, subset, port or delegate that does not exist. "
        "Requests to such a host, subset or port are answered with 503.",
        "Correct the name, or add the Gateway, ServiceEntry, subset or delegate.",
    ),
    Entry(
        "IST0106",
        "SchemaValidationError",
        "error",
        "A document is refused: the same problem that `meshcore check` prints.",
        "The finding says what to write instead.",
    ),
    Entry(
        "IST0109",
        "ConflictingMeshGatewayVirtualServiceHosts",
        "error",
        "Two VirtualServices of the mesh have one host. The older one applies, the other is "
        "ignored.",
        "Put the rules into one object, or give one of them another host or `exportTo`.",
    ),
    Entry(
        "IST0112",
        "VirtualServiceDestinationPortSelectorRequired",
        "error",
        "A destination has several ports and the rule does not say which: the port that the "
        "client used is taken, or none.",
        "Write `port: {number: …}` in the destination.",
    ),
    Entry(
        "IST0118",
        "PortNameIsNotUnderNamingConvention",
        "info",
        "A port has no protocol. It is taken for HTTP; a server that speaks first would hang.",
        "Write its `protocol`.",
    ),
    Entry(
        "IST0127",
        "NoMatchingWorkloadsFound",
        "warning",
        "A Gateway selects labels that no `mesh: gateway` listener has.",
        "Write these `labels` on the listener, or correct the `selector`.",
    ),
    Entry(
        "IST0128",
        "NoServerCertificateVerificationDestinationLevel",
        "warning",
        "TLS towards a destination names no CA. meshcore verifies against the system's roots then, "
        "which a private authority does not chain to; Istio of old did not verify at all.",
        "Name the roots as `caCertificates`.",
    ),
    Entry(
        "IST0129",
        "NoServerCertificateVerificationPortLevel",
        "warning",
        "As IST0128, in `portLevelSettings`.",
        "Name the roots as `caCertificates`.",
    ),
    Entry(
        "IST0130",
        "VirtualServiceUnreachableRule",
        "warning",
        "A rule can never match: one before it takes everything that it would.",
        "Move it before that rule, or delete it.",
    ),
    Entry(
        "IST0131",
        "VirtualServiceIneffectiveMatch",
        "info",
        "One match block of a rule can never match: an earlier rule takes all of it.",
        "Delete the block, or move the rule.",
    ),
    Entry(
        "IST0132",
        "VirtualServiceHostNotFoundInGateway",
        "warning",
        "A VirtualService is bound to a Gateway that serves none of its hosts.",
        "Add the host to the Gateway's server, or correct it.",
    ),
    Entry(
        "IST0133",
        "SchemaWarning",
        "warning",
        "A field is deprecated; it still works.",
        "Write the field that the finding names.",
    ),
    Entry(
        "IST0134",
        "ServiceEntryAddressesRequired",
        "warning",
        "A TCP port without `addresses`: nothing but the port tells its connections from others.",
        "Write the service's `addresses`.",
    ),
    Entry(
        "IST0138",
        "GatewayDuplicateCertificate",
        "warning",
        "Two servers show one certificate. A browser may send the requests of one host over the "
        "connection of the other, and gets 404.",
        "Give each its own certificate, or put the hosts into one server.",
    ),
    Entry(
        "IST0145",
        "ConflictingGateways",
        "error",
        "Two Gateways with one selector have the same host on the same port.",
        "Keep the host in one of them.",
    ),
    Entry(
        "IST0162",
        "GatewayPortNotDefinedOnService",
        "warning",
        "A Gateway's server has a port that no selected listener stands for.",
        "Write `mesh: {traffic: gateway, port: …}` on a listener, or correct the port.",
    ),
    Entry(
        "IST0173",
        "DestinationRuleSubsetNotSelectPods",
        "error",
        "A subset's labels choose no endpoint: its requests are answered with 503.",
        "Correct the labels, or label the endpoints.",
    ),
    Entry(
        "IST0174",
        "UnknownDestinationRuleHost",
        "warning",
        "A DestinationRule is for a host that no service has.",
        "Correct the host, or add the ServiceEntry.",
    ),
    Entry(
        "IST0177",
        "ConflictingServiceEntryProtocol",
        "warning",
        "Two ServiceEntries give one port of a host different protocols; the older one applies.",
        "Make them agree.",
    ),
)
_OWN = (
    Entry(
        "MC0001",
        "PrefixMatchesMoreThanSegments",
        "info",
        "A prefix is mere text to a VirtualService: `/v2` matches `/v2x` too.",
        "Write `/v2/` as prefix and `/v2` as exact, if that is meant.",
    ),
    Entry(
        "MC0002",
        "GatewayRulesDontReachTheMesh",
        "info",
        "A VirtualService for a service of the mesh is bound to gateways alone: calls from within "
        "the mesh do not follow it.",
        "Add `mesh` to its `gateways` if they should.",
    ),
    Entry(
        "MC0003",
        "SubsetPolicyInactive",
        "warning",
        "A subset has a traffic policy, and no route names the subset: the policy never applies.",
        "Name the subset in a VirtualService, or move the policy up to the service.",
    ),
    Entry(
        "MC0004",
        "PortLevelSettingsDontInherit",
        "warning",
        "A port's settings replace load balancer, connection pool, outlier detection and TLS of "
        "the policy altogether, those of subsets too: what the policy says besides is lost for "
        "that port.",
        "Repeat the block in the port's settings; for a subset, in settings of its own for it.",
    ),
    Entry(
        "MC0005",
        "BlockReplacedWhole",
        "warning",
        "A subset's or port's load balancer replaces the service's whole, its locality setting or "
        "warm-up included.",
        "Repeat the setting there.",
    ),
    Entry(
        "MC0006",
        "FailoverWithoutOutlierDetection",
        "warning",
        "Locality failover is set and nothing finds failing endpoints: with Istio it would do "
        "nothing; here only requests whose connect fails go on to another locality.",
        "Add `outlierDetection` to the same policy.",
    ),
    Entry(
        "MC0007",
        "OutlierDetectionStartsFailover",
        "info",
        "With outlier detection and endpoints of several localities, requests prefer their own "
        "locality and fail over to others.",
        "Write `localityLbSetting` to say what is wanted.",
    ),
    Entry(
        "MC0008",
        "SourceSelectorSelectsNobody",
        "warning",
        "`sourceLabels` and `sourceNamespace` choose listeners, not requests: no `mesh: outbound` "
        "listener has these, so that the match is for nobody.",
        "Write the labels on the listener, or match a header.",
    ),
    Entry(
        "MC0009",
        "DestinationRulesMerged",
        "warning",
        "Several DestinationRules are for one host: subsets are added up, and the traffic policy "
        "of the oldest that has one wins.",
        "Put them into one object.",
    ),
    Entry(
        "MC0010",
        "DestinationRuleOfServiceIgnored",
        "warning",
        "A DestinationRule in the client's namespace hides the one of the service's namespace.",
        "Merge them, or delete one.",
    ),
    Entry(
        "MC0011",
        "ShortNameOfAnotherNamespace",
        "warning",
        "A short name is looked up in the object's own namespace, and the service is in another.",
        "Write the full name: `name.namespace.svc.cluster.local`.",
    ),
    Entry(
        "MC0012",
        "RetriesSpareUnsafeRequests",
        "warning",
        "`5xx`, `gateway-error`, `reset`, `retriable-4xx`, `deadline-exceeded` and statuses don't "
        "say whether the request was processed. Istio sends it again whatever its method; meshcore "
        "does so only with an idempotent method or an `Idempotency-Key`, so that a POST fails.",
        "Match the idempotent methods, or write `connect-failure,refused-stream,unavailable`.",
    ),
    Entry(
        "MC0013",
        "FaultSuspendsPolicy",
        "warning",
        "A rule with `fault` has neither timeout nor retries, though it names them.",
        "Expect that while the fault is there, or put the fault into a rule of its own.",
    ),
    Entry(
        "MC0014",
        "FaultNeverInjected",
        "warning",
        "A fault without percentage happens to 0 % of the requests.",
        "Write `percentage: {value: 100}`.",
    ),
    Entry(
        "MC0015",
        "ZeroMeansUnlimited",
        "info",
        "A limit of 0 says as much as leaving it out, and not that nothing passes.",
        "Write a number, or leave it out.",
    ),
    Entry(
        "MC0016",
        "WeightsDontSumTo100",
        "info",
        "Weights are shares of their sum. They don't sum to 100, so that they are not percentages.",
        "Make them sum to 100 if percentages are meant.",
    ),
    Entry(
        "MC0017",
        "RewriteDoublesSlash",
        "warning",
        "A prefix is replaced as mere text: `/api` by `/` turns `/api/x` into `//x`.",
        "Write `/api/` as prefix, or use `uriRegexRewrite`.",
    ),
    Entry(
        "MC0018",
        "DelegateRuleDropped",
        "warning",
        "A delegate's rule contradicts its root's match: it is left out.",
        "Make each match of the delegate a part of its root's.",
    ),
    Entry(
        "MC0019",
        "NoListenerTakesIt",
        "warning",
        "A VirtualService is for the mesh, and no listener has `mesh: outbound`.",
        "Add it to a listener, or bind the object to a Gateway.",
    ),
    Entry(
        "MC0020",
        "CircuitBreakingIsOff",
        "info",
        "A pool limits only the requests that wait, and connections and requests have no limit "
        "unless `maxConnections` or `http2MaxRequests` says so: hardly anything ever waits.",
        "Write `maxConnections` or `http2MaxRequests` too.",
    ),
)

ENTRIES: dict[str, Entry] = {entry.code: entry for entry in (*_ISTIO, *_OWN)}
"""Every kind of finding by its code."""
