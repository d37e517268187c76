"""Which worker gets which devices."""

from __future__ import annotations

import re

import pytest

from benchmarks.made.farm import fleet
from harness.config.devices import Fleet
from harness.core.errors import ConfigError, UsageError
from harness.run.workers import sites
from harness.run.workers.sites import Worker


def listed(*devices: dict[str, object]) -> Fleet:
    return fleet(*({"board": "generic", **device} for device in devices))


def at(name: str, *places: str, unlike: str = "") -> Worker:
    return Worker(f"tcp://{name}", name, frozenset(places), unlike)


def names(groups: list[sites.Group]) -> list[list[str]]:
    return [sites.names_of(group) for group in groups]


def test_sites_are_dealt_out_in_order_and_round_again() -> None:
    two = [at("0"), at("1")]
    assert [worker.sites for worker in sites.dealt(two, ["a", "b"])] == [{"a"}, {"b"}]
    assert [worker.sites for worker in sites.dealt(two, ["a", "b", "c"])] == [{"a", "c"}, {"b"}]
    assert [worker.sites for worker in sites.dealt([*two, at("2")], ["a", "b"])] == [{"a"}, {"b"}, {"a"}]
    assert [worker.sites for worker in sites.dealt(two, [])] == [set(), set()]


def test_a_board_goes_to_a_worker_of_its_site_and_one_without_to_any() -> None:
    workers = [at("one", "a"), at("two", "b"), at("other", "a", unlike="numpy 1")]
    assert [worker.name for worker in sites.fitting(workers, "a")] == ["one"]
    assert [worker.name for worker in sites.fitting(workers, None)] == ["one", "two"]
    assert sites.least_busy(workers[:2], {"tcp://one": 3}).name == "two"


def test_one_address_at_two_sites_is_two_boards_on_a_cluster_and_one_board_on_this_machine() -> None:
    devices = listed(
        {"name": "x", "host": "10.9.9.9", "site": "a"},
        {"name": "y", "host": "10.9.9.9", "site": "b"},
        {"name": "z", "host": "10.9.9.9", "site": "a"},
    ).devices
    assert names(sites.grouped(devices, one_machine=False)) == [["x", "z"], ["y"]]
    assert names(sites.grouped(devices, one_machine=True)) == [["x", "y", "z"]]


def test_what_uses_one_machine_stays_together() -> None:
    """Emulated boards would disturb a local device, wherever it is; alone, they need no common machine."""
    local = {"name": "here", "local": True, "site": "a"}
    emulated = [{"name": name, "board": "raspberry-pi-4", "emulate": True} for name in ("p", "q")]
    assert names(sites.grouped(listed(local, *emulated).devices, one_machine=True)) == [["here", "p", "q"]]
    assert names(sites.grouped(listed(local, *emulated).devices, one_machine=False)) == [["here"], ["p"], ["q"]]
    beside = [{**each, "site": "a"} for each in emulated]
    assert names(sites.grouped(listed(local, *beside).devices, one_machine=False)) == [["here", "p", "q"]]


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ({"host": "h", "site": "lab9"}, "'d' is at site 'lab9', and no worker is (sites there: lab1, lab2)"),
        ({"local": True}, "'d' is local, and with --on that may be any worker's machine"),
    ],
)
def test_a_device_that_no_worker_reaches_is_refused(device: dict[str, object], said: str) -> None:
    workers = [at("one", "lab1"), at("two", "lab2")]
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        sites.check_sites(listed({"name": "d", **device}), workers)
    assert caught.value.exit_code == 2
    sites.check_sites(listed({"name": "d", "host": "h"}, {"name": "e", "local": True, "site": "lab2"}), workers)


@pytest.mark.parametrize("written", ["-lab", "lab 1", "lab=1", "a/b", ""])
def test_a_site_is_one_word(written: str) -> None:
    with pytest.raises(ConfigError, match="site"):
        listed({"name": "d", "host": "h", "site": written})
