"""The report of estimates; what compiles them is tested where the compilers are, in tests/aot."""

import pytest

from benchmarks import device_estimates
from benchmarks.device_targets import TARGETS

ROW = {
    "program": "vae", "target": "v5e", "devices": 8, "batch_size": 128, "seconds": 1e-4,
    "roofline_seconds": 2e-5, "flop": 420e6, "bytes_moved_per_device": 2**21, "kernels": 100.0,
    "share_of_peak": 0.0026,
}  # fmt: skip


def test_a_row_of_the_table(capsys):
    device_estimates.report({"rows": [ROW]})
    printed = capsys.readouterr().out
    assert "Estimates of programs compiled for devices that are not there" in printed
    assert "8 v5e" in printed


@pytest.mark.parametrize("wrong", [{"programs": ("gpt",)}, {"devices": (0,)}])
def test_flags_are_checked(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}: got"):
        device_estimates.Config(**wrong)


def test_peaks_are_those_of_the_units():
    assert TARGETS["v5e"].clock == pytest.approx(1.5e9, rel=0.01)
    # 132 cores of four units, each 512 products and sums of tf32 in a cycle of 1.83 GHz.
    assert TARGETS["h100"].flops == pytest.approx(132 * 4 * 512 * 1.83e9, rel=0.01)
