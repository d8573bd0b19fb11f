"""What a request has that its operation's model does not allow: unknown or missing members, types, lengths, patterns,
enumerations, bounds."""

import regex

from wire import NotReadable, operation, parameters, wire_name

# botocore ships the models of EKS and Secrets Manager without most of their patterns.
TAG = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"  # pattern of tag keys and values (IAM's model; Tagging AWS resources, "Tag naming")
MORE_PATTERNS = {
    # "The secret name can contain ASCII letters, numbers, and the following characters: /_+=.@-"
    # (Secrets Manager API reference, CreateSecret)
    ("secretsmanager", "Name"): r"[A-Za-z0-9/_+=.@-]+",
    ("secretsmanager", "KmsKeyId"): r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",  # our own rule: ARNs only
    ("secretsmanager", "Tags[].Key"): TAG,
    ("secretsmanager", "Tags[].Value"): TAG,
    ("eks", "tags{}"): TAG,
    ("eks", "tags{}="): TAG,
    # "arn:aws[a-zA-Z-]*:iam::\d{12}:role/…" (IAM JSON policy reference, IAM ARNs)
    ("eks", "roleArn"): r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+",
    # RFC 1123 labels, as Kubernetes has them (EKS API reference, CreatePodIdentityAssociation)
    ("eks", "namespace"): r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    ("eks", "serviceAccount"): r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?",
}
# At most 50 tags a resource, for every service ("Tag limits and requirements"); and none of AWS's own prefix.
MOST_TAGS = 50


def violations(record):
    """Why AWS would refuse a request; empty for a good one."""
    try:
        shape = operation(record).input_shape
        given = parameters(record)
    except NotReadable as problem:
        return [str(problem)]
    if shape is None:
        return [f"{name}: the operation has no members" for name in given]
    found = []
    _structure(shape, given, "", _Walk(record["service"], found))
    return found


class _Walk:
    def __init__(self, service, found):
        self.service, self.found = service, found

    def complain(self, path, what):
        self.found.append(f"{path or 'the request'}: {what}")


def _value(shape, value, path, walk):
    kind = _KINDS.get(shape.type_name)
    if kind is None:
        walk.complain(path, f"this check does not know the type {shape.type_name}")
        return
    kind(shape, value, path, walk)


def _structure(shape, value, path, walk):
    if not isinstance(value, dict):
        return walk.complain(path, "not a structure")
    members = {wire_name(name, member): member for name, member in shape.members.items()}
    for name in shape.required_members:
        if wire_name(name, shape.members[name]) not in value:
            walk.complain(path, f"{name} is missing")
    for name, member in value.items():
        inner = f"{path}.{name}" if path else name
        if name not in members:
            walk.complain(inner, "the model has no such member")
        else:
            _value(members[name], member, inner, walk)


def _list(shape, value, path, walk):
    if not isinstance(value, list):
        return walk.complain(path, "not a list")
    _bounds(shape, len(value), f"{len(value)} items", path, walk)
    if path.endswith("Tags") and len(value) > MOST_TAGS:
        walk.complain(path, f"more than {MOST_TAGS} tags")
    for member in value:
        _value(shape.member, member, f"{path}[]", walk)


def _map(shape, value, path, walk):
    if not isinstance(value, dict):
        return walk.complain(path, "not a map")
    _bounds(shape, len(value), f"{len(value)} entries", path, walk)
    for key, member in value.items():
        _value(shape.key, key, f"{path}{{}}", walk)
        _value(shape.value, member, f"{path}{{}}=", walk)


def _string(shape, value, path, walk):
    if not isinstance(value, str):
        return walk.complain(path, "not a string")
    _bounds(shape, len(value), f"{len(value)} characters", path, walk)
    if shape.enum and value not in shape.enum:
        walk.complain(path, f"{value!r} is none of {', '.join(shape.enum)}")
    # A parsed shape leaves its pattern out; the model that it was parsed from has it.
    pattern = shape._shape_model.get("pattern")
    for wanted in filter(None, [pattern, MORE_PATTERNS.get((walk.service, path))]):
        if not regex.fullmatch(wanted, value):
            walk.complain(path, f"{value!r} does not match {wanted}")
    if path.endswith(("Tags[].Key", "tags{}")) and value.lower().startswith("aws:"):
        walk.complain(path, f"{value!r} begins like AWS's own tags")


def _number(shape, value, path, walk):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return walk.complain(path, "not a number")
    if shape.type_name in ("integer", "long") and not isinstance(value, int):
        walk.complain(path, "not a whole number")
    _bounds(shape, value, str(value), path, walk)


def _boolean(_, value, path, walk):
    if not isinstance(value, bool):
        walk.complain(path, "neither true nor false")


def _bounds(shape, size, shown, path, walk):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        walk.complain(path, f"{shown}, fewer than {least}")
    if most is not None and size > most:
        walk.complain(path, f"{shown}, more than {most}")


_KINDS = {
    "structure": _structure, "list": _list, "map": _map, "string": _string, "blob": _string, "boolean": _boolean,
    "integer": _number, "long": _number, "float": _number, "double": _number,
}
