"""Loads the inputs that were sent: images, or one array for each of a network's inputs."""

from types import ModuleType
from typing import List

from .files import RunnerError, sha256_of
from .runtimes.base import Model
from .shapes import Array, Json


def check_files(job: Json) -> None:
    """Check the hashes of model and inputs."""
    for key in ("model", "inputs"):
        digest = sha256_of(job[key])
        if digest != job[key + "_sha256"]:
            raise RunnerError("corrupt-file", "%s: SHA-256 is %s" % (job[key], digest))


def load_images(np: ModuleType, job: Json) -> Array:
    """The images, uint8 (n, 48, 48, 1)."""
    images = np.load(job["inputs"], allow_pickle=False)
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise RunnerError("bad-inputs", "inputs are %s %s" % (images.dtype, images.shape))
    return images


def load_tensors(np: ModuleType, job: Json) -> List[List[Array]]:
    """For each sample, the value of each input. The file has one array for each, named ``0``, ``1``..., whose first
    axis is that of the samples."""
    with np.load(job["inputs"], allow_pickle=False) as stored:
        arrays = [np.ascontiguousarray(stored[str(place)]) for place in range(len(job["tensors"]))]
    for array, tensor in zip(arrays, job["tensors"]):  # noqa: B905 - Python 3.6 has no strict
        if [str(array.dtype), list(array.shape[1:])] != [tensor["dtype"], tensor["shape"]] or not len(array):
            raise RunnerError("bad-inputs", "input '%s' is %s %s" % (tensor["name"], array.dtype, array.shape))
    # slices and not single entries, since an entry of a row of scalars is no array
    return [[array[i : i + 1].reshape(array.shape[1:]) for array in arrays] for i in range(len(arrays[0]))]


def load_inputs(np: ModuleType, job: Json) -> Array:
    """The inputs of a job as they were sent, after a check of the hashes of model and inputs."""
    check_files(job)
    return load_images(np, job) if job.get("tensors") is None else load_tensors(np, job)


def prepared(model: Model, inputs: Array, job: Json) -> List[Array]:
    """The inputs as the model takes them: images are converted, tensors are ready."""
    return [model.prepare(image) for image in inputs] if job.get("tensors") is None else list(inputs)
