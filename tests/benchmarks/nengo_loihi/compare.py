"""An outside check of the learning rule: the same streams learned here and on nengo-loihi's emulator of the chip.

    python tests/benchmarks/nengo_loihi/compare.py [FIRST_SEED LAST_SEED]

Prints one JSON object: the NRMSE of each over the last half of each stream, before each sample is taught. nengo-loihi
wants an older numpy, so uv runs it in an environment of its own, which it makes at the first run. Its read-out is
filtered over 10 ms and carries over from sample to sample, while ours is gathered sample by sample: the two need not be
equal, but both have to learn the same law from the same lessons with integer synapses.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from controller.neurocore.coding import activity, payload, population
from controller.neurocore.design import READ_OUT_SHIFT, Design, Rule
from controller.neurocore.reference import ReferenceBackend

SAMPLES, STEPS, MEMORY = 1500, 16, 20.0  # STEPS timesteps a sample; MEMORY samples of correlation
NOISE_SD = 0.05
COUNTS_PER_ONE = 127 * 254 * 2 / 2**READ_OUT_SHIFT  # two units at full payload and half of the weights' range
SHARE = 0.15  # of what is missing that a lesson closes, as in the rate learner
TIMEOUT_S = 600.0


def stream(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A slow random state in [-1, 1], and a smooth function of it with noise; (samples,) each."""
    rng = np.random.default_rng([seed, 17])
    keep, x = np.exp(-1.0 / MEMORY), np.zeros(SAMPLES)
    for k in range(1, SAMPLES):
        x[k] = keep * x[k - 1] + np.sqrt(1 - keep**2) * rng.standard_normal()
    x = np.tanh(0.8 * x)
    return x, 0.6 * np.sin(2.5 * x) + 0.3 * x**2 + NOISE_SD * rng.standard_normal(SAMPLES)


def ours(x: np.ndarray, target: np.ndarray, rule: Rule, seed: int) -> np.ndarray:
    """The spiking network of NeuroCore, by its bit-identical reference: the read-out before each lesson, (samples,)."""
    fields = population({"x": (-1.0, 1.0)}, seed, per_state=20, conjunctions=0)
    backend = ReferenceBackend(Design(len(fields.centres), 1, "lif", rule, STEPS), seed)
    error, said = np.zeros(1, dtype=np.int64), np.zeros(len(x))
    for k, (state, wanted) in enumerate(zip(x, target, strict=True)):
        active = activity(fields, [state])
        read_out = backend.step(payload(active), error)
        said[k] = read_out[0] / COUNTS_PER_ONE
        # An error of one count moves the read-out by about this much: x1 (half a payload) e / 2^10, times the payload.
        moved = float(np.sum(active**2)) * 127 * 254 / 2**10 / 2**READ_OUT_SHIFT
        wrong = SHARE * (wanted - said[k]) * COUNTS_PER_ONE / moved
        error = np.array([round(float(np.clip(wrong, -127, 127)))])
    return said


def theirs(x: np.ndarray, target: np.ndarray, seed: int) -> np.ndarray:
    """The read-out of nengo-loihi's emulator, (samples,)."""
    script = Path(__file__).with_name("emulator.py")
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        np.savez(given, x=x, target=target, steps=STEPS, seed=seed)
        command = [str(uv), "run", "--quiet", "--no-project", "--script", str(script), str(given), str(found)]
        subprocess.run(command, check=True, timeout=TIMEOUT_S, stdout=sys.stderr)
        return np.asarray(np.load(found)["read_out"])


def nrmse(said: np.ndarray, target: np.ndarray) -> float:
    """Over the last half, the root mean square error over the standard deviation of the target."""
    late = slice(len(target) // 2, None)
    return float(np.sqrt(np.mean((said[late] - target[late]) ** 2)) / np.std(target[late]))


def main(first: int, last: int) -> None:
    """Every learner on every stream."""
    rows: dict[str, list[float]] = {"nengo_loihi_emulator": [], "three_factor": [], "two_factor": []}
    for seed in range(first, last + 1):
        x, target = stream(seed)
        rows["nengo_loihi_emulator"].append(nrmse(theirs(x, target, seed), target))
        rows["three_factor"].append(nrmse(ours(x, target, "three-factor", seed), target))
        rows["two_factor"].append(nrmse(ours(x, target, "two-factor", seed), target))
        print(f"stream {seed}: " + ", ".join(f"{n} {v[-1]:.3f}" for n, v in rows.items()), file=sys.stderr)
    mean = {name: round(float(np.mean(values)), 4) for name, values in rows.items()}
    print(json.dumps({"seeds": [first, last], "samples": SAMPLES, "nrmse_last_half": mean}))


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:3] or (500, 504)))
