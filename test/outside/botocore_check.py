"""Checks a wire log of the embedded EC2 against the models that AWS publishes with botocore.

Every request the program sent must be one its model allows, and every answer one its model describes: names, nesting,
types, enumerations, required members. Usage: botocore_check.py [--answers] WIRE_LOG...; ends with "N passed, N failed".
--answers: the requests are other people's, who may ask for what no model has; only answers are checked.
"""

import collections
import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

import botocore
import botocore.loaders
import botocore.model
import botocore.parsers
from botocore.utils import parse_timestamp

loader = botocore.loaders.Loader()
models = {
    name: botocore.model.ServiceModel(loader.load_service_model(name, "service-2"), name) for name in ("ec2", "sts", "ebs")
}
# The name of the API version that says which service a request is for is checked as well.
versions = {name: model.metadata["apiVersion"] for name, model in models.items()}


def tree_of(form):
    """The dotted names of a form as nested dictionaries."""
    root = {}
    for key, value in form:
        at = root
        steps = key.split(".")
        for step in steps[:-1]:
            at = at.setdefault(step, {})
        at[steps[-1]] = value
    return root


def query_name(name, shape, service):
    """How a member is called in a request. Source: the serializers of botocore for the protocols ec2 and query."""
    if service == "sts":
        return shape.serialization.get("name", name)
    if "queryName" in shape.serialization:
        return shape.serialization["queryName"]
    written = shape.serialization.get("name", name)
    return written[:1].upper() + written[1:]


def check_request(tree, shape, service, path):
    if shape.type_name == "structure":
        if not isinstance(tree, dict):
            return [f"{path} is not a structure"]
        known = {query_name(name, member, service): (name, member) for name, member in shape.members.items()}
        faults = [f"{path}.{key} is not known" for key in tree if key not in known]
        missing = [name for key, (name, _) in known.items() if name in shape.required_members and key not in tree]
        faults += [f"{path}.{name} is required" for name in missing]
        for key, value in tree.items():
            if key in known:
                faults += check_request(value, known[key][1], service, f"{path}.{key}")
        return faults
    if shape.type_name == "list":
        if service == "sts":
            tree = tree.get("member", tree) if isinstance(tree, dict) else tree
        if not isinstance(tree, dict) or not all(key.isdigit() for key in tree):
            return [f"{path} is not a list"]
        return [fault for key, value in tree.items() for fault in check_request(value, shape.member, service, f"{path}.{key}")]
    if not isinstance(tree, str):
        return [f"{path} is not a {shape.type_name}"]
    return check_scalar(tree, shape, path)


def check_scalar(text, shape, path):
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            int(text)
        elif kind == "boolean" and text not in ("true", "false"):
            raise ValueError
        elif kind == "timestamp":
            parse_timestamp(text)
    except ValueError:
        return [f"{path}: {text!r} is not a {kind}"]
    enum = getattr(shape, "enum", None)
    return [f"{path}: {text!r} is none of {len(enum)} values: {', '.join(enum[:5])}, …"] if enum and text not in enum else []


def local(tag):
    return re.sub(r"^\{.*\}", "", tag)


def check_answer(element, shape, service, path):
    if shape.type_name == "structure":
        known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        faults = []
        for child in element:
            name = local(child.tag)
            if name in known:
                faults += check_answer(child, known[name], service, f"{path}.{name}")
            else:
                faults.append(f"{path}.{name} is not known")
        return faults
    if shape.type_name == "list":
        item = shape.member.serialization.get("name", "member" if service == "sts" else "item")
        wrong = [f"{path}: <{local(child.tag)}> is not <{item}>" for child in element if local(child.tag) != item]
        return wrong + [fault for i, child in enumerate(element) for fault in check_answer(child, shape.member, service, f"{path}[{i}]")]
    return check_scalar(element.text or "", shape, path)


def check_body(body, operation, service):
    root = ElementTree.fromstring(body)
    name = operation.name
    if local(root.tag) != f"{name}Response":
        return [f"<{local(root.tag)}> is not <{name}Response>"]
    if service == "sts":
        parts = {local(child.tag): child for child in root}
        if set(parts) != {f"{name}Result", "ResponseMetadata"}:
            return [f"an answer has a result and metadata, not {', '.join(parts)}"]
        children, rest = list(parts[f"{name}Result"]), []
    else:
        children = [child for child in root if local(child.tag) != "requestId"]
        rest = [] if len(children) == len(root) - 1 else ["there is no requestId"]
    holder = ElementTree.Element(name)
    holder.extend(children)
    if operation.output_shape is None:
        # EC2 answers <return>true</return> to calls without an output.
        return rest + [f"{local(child.tag)} is not known" for child in children if local(child.tag) != "return"]
    return rest + check_answer(holder, operation.output_shape, service, name)


def check_refusal(body, service):
    root = ElementTree.fromstring(body)
    names = ["Errors/Error/Code", "Errors/Error/Message", "RequestID"] if service == "ec2" else ["Error/Code", "Error/Message", "RequestId"]
    stripped = re.sub(r'\sxmlns="[^"]*"', "", body)
    return [f"a refusal has {name}" for name in names if ElementTree.fromstring(stripped).find(name) is None] if root is not None else []


def members_at(shape, location):
    """The members of a request or an answer that are in a place, by their names there."""
    found = {name: member for name, member in shape.members.items() if member.serialization.get("location") == location}
    return {member.serialization.get("name", name).lower(): (name, member) for name, member in found.items()}


def check_json(value, shape, path):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{path} is not a structure"]
        known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        unknown = [f"{path}.{key} is not known" for key in value if key not in known]
        return unknown + [fault for key, one in value.items() if key in known for fault in check_json(one, known[key], f"{path}.{key}")]
    if kind == "list":
        if not isinstance(value, list):
            return [f"{path} is not a list"]
        return [fault for one in value for fault in check_json(one, shape.member, f"{path}[0]")]
    right = {"integer": int, "long": int, "boolean": bool, "timestamp": (int, float)}.get(kind, str)
    return [] if isinstance(value, right) and (kind != "string" or not check_scalar(value, shape, path)) else [f"{path}: {value!r} is not a {kind}"]


def check_rest_request(line, headers, body, operation):
    """Source: the AWS REST-JSON protocol."""
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    shape, name = operation.input_shape, operation.name
    template = re.sub(r"\{(\w+)\}", lambda found: f"(?P<{found[1]}>[^/]+)", operation.http["requestUri"])
    matched = re.fullmatch(template, path)
    if matched is None or method != operation.http["method"]:
        return [f"{method} {path} is not {operation.http['method']} {operation.http['requestUri']}"]
    given, faults = set(), []
    for location, values in (("uri", matched.groupdict()), ("querystring", dict(urllib.parse.parse_qsl(query))), ("header", headers)):
        known = members_at(shape, location)
        for key, value in values.items():
            if key.lower() not in known:
                faults.append(f"{name}.{key} is not known")
                continue
            member, of = known[key.lower()]
            given.add(member)
            faults += check_scalar(value, of, f"{name}.{member}")
    if body is not None and method == "POST" and body != "":
        inside = json.loads(body)
        given |= set(inside)
        faults += [f"{name}.{key} is not known" for key in inside if key not in shape.members]
        faults += [fault for key, value in inside.items() if key in shape.members for fault in check_json(value, shape.members[key], f"{name}.{key}")]
    payload = shape.serialization.get("payload")
    return faults + [f"{name}.{member} is required" for member in shape.required_members if member not in given and member != payload]


def check_rest(entry):
    operation = models["ebs"].operation_model(entry["action"])
    headers, status, name = entry["headers"], entry["status"], entry["action"]
    if status >= 400:
        refusal = json.loads(entry["body"])
        code, shapes = headers.get("x-amzn-errortype", ""), {shape.name: shape for shape in operation.error_shapes}
        # Every service of AWS refuses what is signed in a wrong way; these codes are in no model.
        if code not in shapes:
            return [] if re.search("Signature|Token|Serialization|Unavailable", code) else [f"{code} is no error of {name}"]
        wrong = [] if status == shapes[code].metadata["error"]["httpStatusCode"] else [f"{code} has the status {status}"]
        return wrong + check_json(refusal, shapes[code], code)
    request = entry["request"]
    faults = check_rest_request(request["line"], request["headers"], request.get("body"), operation)
    if status != operation.http.get("responseCode", 200):
        faults.append(f"{name} has the status {status}")
    known = members_at(operation.output_shape, "header")
    for key, value in headers.items():
        if key.startswith("x-amz-"):
            faults += check_scalar(value, known[key][1], f"{name}.{key}") if key in known else [f"{name}: the header {key} is not known"]
    return faults + (check_json(json.loads(entry["body"]), operation.output_shape, name) if "body" in entry else [])


def check(entry):
    service = entry["service"]
    if service == "ebs":
        return check_rest(entry)
    if answers_only and entry["action"] not in models[service].operation_names:
        return check_refusal(entry["body"], service)
    operation = models[service].operation_model(entry["action"])
    form = urllib.parse.parse_qsl(entry["form"], keep_blank_values=True)
    said = dict(form)
    faults = [] if said.get("Version") == versions[service] else [f"version {said.get('Version')} is not {versions[service]}"]
    tree = tree_of([(key, value) for key, value in form if key not in ("Action", "Version")])
    shape = operation.input_shape
    faults += check_request(tree, shape, service, entry["action"]) if shape is not None else [f"{key} is not known" for key in tree]
    if answers_only:
        faults = []
    if entry["status"] >= 300:
        return faults + check_refusal(entry["body"], service)
    # botocore's own reading must succeed too.
    parser = botocore.parsers.create_parser(models[service].metadata["protocol"])
    parser.parse({"status_code": entry["status"], "headers": {}, "body": entry["body"].encode()}, operation.output_shape)
    return faults + check_body(entry["body"], operation, service)


answers_only = sys.argv[1] == "--answers"
counts = collections.Counter()
faults = collections.defaultdict(set)
for file in sys.argv[2 if answers_only else 1 :]:
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            # Tests send requests that no client would; those do not say which API they are for. Some have no answer.
            if entry["service"] == "ebs":
                if "status" not in entry or entry["action"] not in models["ebs"].operation_names:
                    continue
            elif "status" not in entry or "Version=" not in entry.get("form", ""):
                continue
            counts[entry["action"]] += 1
            for fault in check(entry):
                faults[entry["action"]].add(re.sub(r"\[\d+\]|\.\d+", "[]", fault))
for action, count in sorted(counts.items()):
    print(f"{'FAILED' if faults[action] else 'ok'}: {action}: {count} requests and answers")
    for fault in sorted(faults[action]):
        print(f"  {fault}")
failed = sum(1 for action in counts if faults[action])
print(f"botocore {botocore.__version__}: {len(counts) - failed} passed, {failed} failed, {sum(counts.values())} requests")
print(f"{len(counts) - failed} passed, {failed} failed")
sys.exit(1 if failed or not counts else 0)
