"""A generator of pictures like the data's: a small auto-encoder trained on the study's own images.

The code of a picture has mean 0 and standard deviation 1 over the data, so that what lies within a few deviations is a
picture the data could hold. As in DGN-AM's generator, pictures are to look right to the network too: beside the pixels,
what the studied network says about the copy is drawn towards what it says about the picture. Pictures of more than 32
pixels a side have codes of every place rather than of the whole: one short code for all of such a picture leaves no
edge and no small mark in the copy, and layers that answer to these see another picture.

References
----------
Nguyen et al.: Synthesizing the preferred inputs for neurons in neural networks via deep generator networks. NeurIPS
2016 (arXiv 1605.09304).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nap_core.errors import TooFewImagesError
from nap_core.explain.canvas import Canvas
from nap_core.explain.objectives import places
from nap_core.explain.parametrisations import Generator
from nap_core.explain.reading import reading
from nap_core.types import LayerInfo, Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nap_core.inputs.models import Network

FEWEST_IMAGES = 64
"""Below this an auto-encoder has nothing to learn from, and a linear prior is taken."""

CODES = "codes"
_WIDTHS = (24, 48, 72, 96, 96)
_SMALL = 32  # pixels a side
_NOISE = 0.1  # of the code while training, in standard deviations: neighbouring codes give neighbouring pictures


@dataclass(frozen=True, slots=True)
class Training:
    """How the auto-encoder is trained; every field belongs to the key of the result."""

    n_codes: int = 64  # of the picture, or of each of its places
    coded_side: int = 0  # pixels the longest side is made small to, each with codes; 0 where codes are of the whole
    n_steps: int = 1500
    n_alone: int = 0  # first steps, in which the pixels alone count
    batch_size: int = 64
    rate: float = 3e-3
    network_weight: float = 0.3  # of what the network says, against the pixels
    seed: int = 0


def usual_training(size: Sequence[int]) -> Training:
    """Return what takes a minute or two on one processor for pictures of this size."""
    if max(size) <= _SMALL:
        return Training()
    return Training(n_codes=8, coded_side=8, n_steps=2000, n_alone=1000, batch_size=32)


def _sizes(size: Sequence[int], training: Training) -> list[tuple[int, ...]]:
    """Return the sizes from the picture down to that which is coded, each half of the one before."""
    found = [tuple(size)]
    while len(found) < 2 or (max(found[-1]) > (training.coded_side or 4) and len(found) <= len(_WIDTHS)):
        found.append(tuple(-(-side // 2) for side in found[-1]))
    return found


def _length(shape: tuple[int, ...], training: Training) -> int:
    """Return how many numbers the code of a picture has."""
    return training.n_codes * (int(np.prod(_sizes(shape[1:], training)[-1])) if training.coded_side else 1)


def _encoder(shape: tuple[int, ...], training: Training) -> nn.Sequential:
    from torch import nn

    sizes, before, steps = _sizes(shape[1:], training), shape[0], list[nn.Module]()
    for width in _WIDTHS[: len(sizes) - 1]:
        steps += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.LeakyReLU(0.1)]
        before = width
    if training.coded_side:
        steps += [nn.Conv2d(before, training.n_codes, 3, padding=1), nn.Flatten()]
    else:
        steps += [nn.Flatten(), nn.Linear(before * int(np.prod(sizes[-1])), training.n_codes)]
    return nn.Sequential(*steps, nn.BatchNorm1d(_length(shape, training), affine=False))


def _decoder(shape: tuple[int, ...], training: Training) -> nn.Sequential:
    """Transposed convolutions: the work is done at the smaller of two sizes, a quarter of that behind enlarging.

    Where places are coded the last step, whose chequers would be seen, enlarges plainly before it convolves.

    References
    ----------
    Odena, Dumoulin, Olah: Deconvolution and checkerboard artifacts. Distill (2016).
    """
    from torch import nn

    sizes, n_codes = _sizes(shape[1:], training), training.n_codes
    before = _WIDTHS[len(sizes) - 2]
    steps: list[nn.Module] = (
        [nn.Unflatten(1, (n_codes, *sizes[-1])), nn.Conv2d(n_codes, before, 3, padding=1)]
        if training.coded_side
        else [nn.Linear(n_codes, before * int(np.prod(sizes[-1]))), nn.Unflatten(1, (before, *sizes[-1]))]
    )
    for number in range(len(sizes) - 2, -1, -1):
        after = _WIDTHS[number - 1] if number else shape[0]
        odd = [2 * small - side for small, side in zip(sizes[number + 1], sizes[number], strict=True)]
        steps += [nn.BatchNorm2d(before), nn.LeakyReLU(0.1)]
        if training.coded_side and number == 0:
            steps += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
        else:
            steps += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
        steps += [nn.ZeroPad2d((0, -odd[1], 0, -odd[0]))]
        before = after
    return nn.Sequential(*steps, nn.Sigmoid())


Keep = Callable[[dict[str, NDArray[Any]]], None]
_KEPT_EVERY = 100  # steps


def train_generator(
    network: Network,
    canvas: Canvas,
    layers: Sequence[LayerInfo],
    pictures: NDArray[np.floating],
    training: Training,
    *,
    progress: Progress | None = None,
    keep: Keep | None = None,
    after: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the weights of the decoder, by name, and ``codes`` [image, code] of the pictures.

    Parameters
    ----------
    layers
        What the network says there is to be kept; their units' means over places are compared.
    pictures
        [image, channel, height, width] in [0, 1].
    keep
        Called now and then with all that is needed to go on.
    after
        What `keep` was given last in a run of the same training that was broken off; it ends in the same weights.

    Raises
    ------
    TooFewImagesError
        If there are fewer than `FEWEST_IMAGES`.
    """
    import torch

    if len(pictures) < FEWEST_IMAGES:
        raise TooFewImagesError(
            f"{len(pictures)} images are too few to train a generator on; it needs {FEWEST_IMAGES}. Use a linear prior."
        )
    data = torch.from_numpy(np.array(pictures, np.float32))
    if data.shape[1] > 1:
        data = data.contiguous(memory_format=torch.channels_last)  # convolutions are fastest in it
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(training.seed)
        pair = _Pair(canvas.shape, training)
        if after:
            pair.restore(after)
        with reading(network, [layer.name for layer in layers], canvas) as read:

            def says(picture: Tensor) -> list[Tensor]:
                raw = read(picture).raw
                return [places(raw[layer.name], layer.kind).mean(2) for layer in layers]

            pair.fit(says, data, progress, keep)
        with torch.no_grad():
            codes = torch.cat([pair.encoder.eval()(part) for part in torch.split(data, training.batch_size)])
    weights = {name: value.detach().numpy().copy() for name, value in pair.decoder.state_dict().items()}
    return weights | {CODES: codes.numpy()}


class _Pair:
    """Encoder and decoder while they are trained."""

    def __init__(self, shape: tuple[int, ...], training: Training) -> None:
        import torch

        self.training, self.n_done = training, 0
        self.encoder, self.decoder = _encoder(shape, training), _decoder(shape, training)
        self.adam = torch.optim.Adam([*self.encoder.parameters(), *self.decoder.parameters()], lr=training.rate)
        self.falling = torch.optim.lr_scheduler.OneCycleLR(self.adam, training.rate, total_steps=training.n_steps)

    def fit(
        self,
        says: Callable[[Tensor], list[Tensor]],
        data: Tensor,
        progress: Progress | None,
        keep: Keep | None,
    ) -> None:
        import torch

        with torch.no_grad():
            parts = [says(part) for part in torch.split(data, self.training.batch_size)]
        wanted = [torch.cat(rows) for rows in zip(*parts, strict=True)]
        spreads = [rows.var(0).mean().clamp_min(1e-6) for rows in (data.flatten(1), *wanted)]
        while self.n_done < self.training.n_steps:
            number = torch.randperm(len(data))[: self.training.batch_size]
            self._step(says, data[number], [rows[number] for rows in wanted], spreads)
            self.n_done += 1
            if keep and self.n_done % _KEPT_EVERY == 0:
                keep(self.state())
            if progress:
                progress(self.n_done, self.training.n_steps)

    def _step(
        self, says: Callable[[Tensor], list[Tensor]], chosen: Tensor, wanted: list[Tensor], spreads: list[Tensor]
    ) -> None:
        import torch

        code = self.encoder(chosen)
        copy = self.decoder(code + _NOISE * torch.randn_like(code))
        loss = ((copy - chosen) ** 2).mean() / spreads[0]
        said = says(copy) if self.n_done >= self.training.n_alone else []
        for came, there, spread in zip(said, wanted, spreads[1:], strict=bool(said)):
            loss = loss + self.training.network_weight * ((came - there) ** 2).mean() / spread
        self.adam.zero_grad()
        torch.autograd.backward(loss)
        self.adam.step()
        self.falling.step()

    def _modules(self) -> dict[str, nn.Sequential]:
        return {"encoder": self.encoder, "decoder": self.decoder}

    def state(self) -> dict[str, NDArray[Any]]:
        """Return weights, Adam's running means, its rates, and where torch's random generator is."""
        import torch

        found: dict[str, NDArray[Any]] = {"n_done": np.array(self.n_done), "random": torch.get_rng_state().numpy()}
        for name, module in self._modules().items():
            found |= {f"{name} {part}": value.numpy() for part, value in module.state_dict().items()}
        told = self.adam.state_dict()
        for number, means in told["state"].items():
            found |= {f"adam {number} {part}": value.numpy() for part, value in means.items()}
        group = told["param_groups"][0]
        return found | {"rates": np.array([group["lr"], *group["betas"]])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on where `state` was taken."""
        import torch

        tensors = {name: torch.from_numpy(np.array(value)) for name, value in state.items()}
        self.n_done = int(state["n_done"])
        for name, module in self._modules().items():
            module.load_state_dict({part: tensors[f"{name} {part}"] for part in module.state_dict()})
        told = self.adam.state_dict()
        rate, *betas = (float(value) for value in state["rates"])
        told["param_groups"][0] |= {"lr": rate, "betas": tuple(betas)}
        parts = ("step", "exp_avg", "exp_avg_sq")
        numbers = told["param_groups"][0]["params"]
        told["state"] = {number: {part: tensors[f"adam {number} {part}"] for part in parts} for number in numbers}
        self.adam.load_state_dict(told)
        self.falling.load_state_dict(self.falling.state_dict() | {"last_epoch": self.n_done})
        torch.set_rng_state(tensors["random"])


def generator(shape: tuple[int, ...], training: Training, weights: dict[str, NDArray[Any]]) -> Generator:
    """Return the generator of weights that `train_generator` gave in this training."""
    import torch

    with torch.random.fork_rng(devices=[]):
        decoder = _decoder(shape, training)
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    codes = tensors.pop(CODES)
    decoder.load_state_dict(tensors)
    decoder.eval().requires_grad_(False)
    return Generator(decoder, _length(shape, training), decoder, codes)
