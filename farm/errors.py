"""The errors that a user can meet.

Every error carries a stable ``code`` for programs and one sentence for people that says what is wrong and what to do.
"""


class FarmError(Exception):
    """Base of all typed errors; ``str(error)`` is the sentence for the user."""

    code = "farm-error"
    log: str = ""
    """The end of what the failed process printed, where there was one; not part of the sentence."""


class ModelError(FarmError):
    """The character file cannot be used."""

    code = "model"


class ModelFormatError(ModelError):
    """The bytes are not a valid file of the format that the name claims."""

    code = "model-format"


class ModelTruncatedError(ModelFormatError):
    """The file ends before what it announces."""

    code = "model-truncated"


class NoNeckBoneError(ModelError):
    """The camera and the head rotation need a neck bone, and the model has none."""

    code = "no-neck-bone"


class OutdatedModelError(ModelError):
    """An earlier version took the model in, and kept less of it than is needed now."""

    code = "model-outdated"


class MotionError(FarmError):
    """The motion file cannot be used."""

    code = "motion"


class MotionFormatError(MotionError):
    """The bytes are not a valid file of the format that the name claims."""

    code = "motion-format"


class MotionTruncatedError(MotionFormatError):
    """The file ends before what it announces."""

    code = "motion-truncated"


class ArchiveError(FarmError):
    """An uploaded archive is broken, hostile or over a limit."""

    code = "archive-refused"


class NoModelError(ArchiveError):
    """An archive holds no model at all."""


class MappingError(FarmError):
    """A mapping table (source morph to target morph) cannot be used."""

    code = "mapping-refused"


class BackgroundError(FarmError):
    """A picture that is to be a background cannot be used."""

    code = "background-refused"


class SpecError(FarmError):
    """A render specification asks for something that does not exist."""

    code = "spec-refused"


class StorageError(FarmError):
    """The object store refused or lost an operation."""

    code = "storage"


class NotFoundError(FarmError):
    """No such model, batch, job or object."""

    code = "not-found"


class ConflictError(FarmError):
    """The request does not fit the present state."""

    code = "conflict"


class StaleVersionError(ConflictError):
    """Somebody has changed meanwhile what was to be changed; the sentence says who and how."""

    code = "version-stale"


class WithdrawnModelError(ConflictError):
    """The model was withdrawn, and stays out."""

    code = "model-withdrawn"


class UnauthorizedError(FarmError):
    """The request shows no key that the farm knows."""

    code = "unauthorized"


class ForbiddenError(FarmError):
    """The farm knows who asks, and the request is not theirs to make."""

    code = "forbidden"


class AllowanceError(FarmError):
    """The user has as much of what all share as one may have."""

    code = "allowance-used-up"


class KeysError(FarmError):
    """The configured API keys cannot be used."""

    code = "keys-refused"


class RenderError(FarmError):
    """Blender could not draw the model; another attempt would end the same way."""

    code = "render-failed"


class UnusableModelError(RenderError):
    """The model's picture shows no usable face."""

    code = "model-unusable"


class InvalidSampleError(RenderError):
    """A picture or a label came out wrong and was not stored."""

    code = "sample-invalid"


class BlenderDiedError(FarmError):
    """The Blender process ended, hung or went silent; another attempt may succeed."""

    code = "blender-died"


class BlenderTimeoutError(BlenderDiedError):
    """Blender hung or took longer than it may, and was killed; another attempt may succeed."""

    code = "blender-timeout"


class BlenderMemoryError(BlenderDiedError):
    """Blender took more memory than it may, and was killed; another attempt may succeed."""

    code = "blender-memory"


class BlenderStartError(FarmError):
    """Blender does not start on this machine, or draws on the wrong device there: no job is to blame."""

    code = "blender-not-starting"


class ServiceError(FarmError):
    """A server that the farm needs (Redis, the store, the API) does not answer."""

    code = "service-unavailable"


class StoreRefusedError(ServiceError):
    """The object store answers, and refuses: keys, rights, region or certificate are wrong, and no waiting mends them."""

    code = "store-refused"


class DiskFullError(ServiceError):
    """A disk has no room for what is to be written; nothing that stands there is lost, and with room all goes on."""

    code = "disk-full"


class BusyError(ServiceError):
    """The farm does as much as it can at once; the same again in a moment."""

    code = "busy"


class FullError(ServiceError):
    """Redis is so full that it takes nothing new; what goes on goes on."""

    code = "farm-full"
