"""From a recorded request to the members of its operation's input, by the service's own model."""

import re
from urllib.parse import unquote

import botocore.session

_session = botocore.session.get_session()
_models = {}


class NotReadable(Exception):
    """The request is not one of the operation that it seems to be."""


def model(service):
    if service not in _models:
        _models[service] = _session.get_service_model(service)
    return _models[service]


def operation(record):
    service = model(record["service"])
    if record["operation"] not in service.operation_names:
        raise NotReadable(f"the model of {record['service']} has no such operation")
    return service.operation_model(record["operation"])


def wire_name(name, shape):
    return shape.serialization.get("name", name)


def parameters(record):
    """Members by their names on the wire."""
    if record.get("unreadable"):
        raise NotReadable("the body cannot be read")
    found = operation(record)
    read = {"rest-json": _rest_json, "json": _json, "query": _query}
    return read[model(record["service"]).protocol](record, found)


def _json(record, found):
    target = f"{model(record['service']).metadata['targetPrefix']}.{found.name}"
    if record["header"].get("X-Amz-Target") != target:
        raise NotReadable(f"X-Amz-Target is not {target}")
    return record.get("body") or {}


def _rest_json(record, found):
    members = found.input_shape.members if found.input_shape else {}
    if record["method"] != found.http["method"]:
        raise NotReadable(f"{record['method']} instead of {found.http['method']}")
    given = _of_path(record["path"], found.http["requestUri"])
    by_query = {wire_name(name, shape): shape for name, shape in members.items() if _location(shape) == "querystring"}
    for name, values in (record.get("query") or {}).items():
        # What the model does not know stays text, and is found to be unknown.
        given[name] = _from_text(by_query[name], values) if name in by_query else values
    for name, value in (record.get("body") or {}).items():
        if name in given:
            raise NotReadable(f"{name} stands in body and address")
        given[name] = value
    return given


def _location(shape):
    return shape.serialization.get("location")


def _of_path(path, template):
    pattern = re.sub(r"\\\{([A-Za-z]+)(\\\+)?\\\}", lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})", re.escape(template))
    match = re.fullmatch(pattern, path)
    if not match:
        raise NotReadable(f"path {path} is not {template}")
    return {name: unquote(text) for name, text in match.groupdict().items()}


def _from_text(shape, values):
    if shape.type_name == "list":
        return values
    text = values[0]
    if shape.type_name in ("integer", "long"):
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _query(record, found):
    form = {name: values[0] for name, values in (record.get("form") or {}).items()}
    if form.pop("Action", None) != found.name:
        raise NotReadable("Action is another")
    if form.pop("Version", None) != model(record["service"]).api_version:
        raise NotReadable("Version is not the model's")
    given = _structure_of(found.input_shape, form, "") if found.input_shape else {}
    # What was not taken up belongs to no member.
    return given | form


def _structure_of(shape, form, prefix):
    members = {}
    for name, member in shape.members.items():
        value = _member_of(member, form, prefix + wire_name(name, member))
        if value is not None:
            members[wire_name(name, member)] = value
    return members


def _member_of(shape, form, name):
    if shape.type_name == "structure":
        return _structure_of(shape, form, name + ".") or None
    if shape.type_name == "list":
        step = name if shape.serialization.get("flattened") else f"{name}.member"
        values, number = [], 1
        while (value := _member_of(shape.member, form, f"{step}.{number}")) is not None:
            values.append(value)
            number += 1
        return values or None
    return _from_text(shape, [form.pop(name)]) if name in form else None
