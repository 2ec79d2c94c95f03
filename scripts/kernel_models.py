"""Writes a model of one node for every operator, element type and opset, for scripts/kernels.js to load.

Run with a Python that has onnx >= 1.21:  python scripts/kernel_models.py | node scripts/kernels.js
A line each on standard output: operator, element type, opset, the model in base64. The element type is that of the
first input, or of the output where there is no input; other inputs have it too where the schema allows it.
"""

import base64
import re

from onnx import TensorProto, ValueInfoProto, defs, helper

FIRST, LAST = 7, 26
OPTIONAL = defs.OpSchema.FormalParameterOption.Optional
NAMES = {"float": "float32", "double": "float64"}
TYPES = {f"tensor({'bool' if name == 'BOOL' else name.lower()})": number for name, number in TensorProto.DataType.items()}
PREFERRED = ("float", "int64", "int32", "uint8", "bool", "string")
IR_VERSIONS = ((25, 13), (24, 12), (23, 11), (21, 10), (19, 9), (15, 8), (FIRST, 7))


def graph(inputs, kinds, outputs):
    """A body that passes its inputs on."""
    nodes = [helper.make_node("Identity", [one], [other]) for one, other in zip(inputs, outputs)]
    values = {one: helper.make_tensor_value_info(one, kind, None) for one, kind in zip((*inputs, *outputs), kinds)}
    return helper.make_graph(nodes, "body", [values[one] for one in inputs], [values[one] for one in outputs])


def branch(kind):
    """A body without inputs."""
    constant = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("v", kind, [1], [1]))
    return helper.make_graph([constant], "branch", [], [helper.make_tensor_value_info("c", kind, None)])


def attributes(name, schema, kind):
    """Attributes without which the operator is no valid one."""
    one = TensorProto.FLOAT
    given = {
        "BitCast": {"to": kind},
        "BitShift": {"direction": "LEFT"},
        "Cast": {"to": one},
        "Constant": {"value": helper.make_tensor("v", one, [1], [1.0])},
        "Einsum": {"equation": "...->..."},
        "GroupNormalization": {"num_groups": 2},
        "If": {"then_branch": branch(one), "else_branch": branch(one)},
        "Optional": {"type": helper.make_tensor_type_proto(one, None)},
        "Pad": {"mode": "constant", "pads": [0, 0]},
        "RegexFullMatch": {"pattern": "a"},
        "Scan": {"num_scan_inputs": 1, "body": graph(["a"], [kind, kind], ["b"])},
        "SequenceMap": {"body": graph(["a"], [one, one], ["b"])},
        "TfIdfVectorizer": {
            "mode": "TF",
            "pool_int64s": [1],
            "ngram_counts": [0],
            "ngram_indexes": [0],
            "max_gram_length": 1,
            "min_gram_length": 1,
            "max_skip_count": 0,
        },
    }.get(name, {})
    lists = ("kernel_shape", "pooled_shape", "pads", "shape", "scales", "starts", "ends", "axes", "split")
    for attribute in schema.attributes.values():
        if attribute.name in given or not (attribute.required or attribute.name in ("kernel_shape", "hidden_size")):
            continue
        kinds = {"FLOAT": 1.0, "INT": 2, "INTS": [2, 2], "FLOATS": [1.0, 1.0]}
        if attribute.name == "axis":
            given[attribute.name] = 0
        elif attribute.name in lists or attribute.type.name in kinds:
            given[attribute.name] = kinds[attribute.type.name]
    return {key: value for key, value in given.items() if key in schema.attributes}


def type_of(text):
    """The type of a value that a schema writes as e.g. `seq(tensor(float))`."""
    if text.startswith("seq("):
        return helper.make_sequence_type_proto(type_of(text[4:-1]))
    if text.startswith("optional("):
        return helper.make_optional_type_proto(type_of(text[9:-1]))
    return helper.make_tensor_type_proto(TYPES[text], None)


def element(text):
    """The element type in it: the name that schemas use."""
    return re.search(r"tensor\((\w+)\)", text).group(1)


def needed(name, schema):
    """How many inputs to give: those that are required, and Resize's way of saying how large."""
    count = sum(one.option != OPTIONAL for one in schema.inputs)
    return 3 if name == "Resize" and schema.since_version >= 11 else count


def model(schema, main, text, opset):
    """The node alone, with `text` for the type parameter `main`."""
    name = schema.name
    allowed = {one.type_param_str: list(one.allowed_type_strs) for one in schema.type_constraints}

    def pick(parameter):
        options = allowed.get(parameter, [parameter])
        if parameter == main or text in options:
            return text
        wanted = [f"tensor({kind})" for kind in PREFERRED] + ["seq(tensor(float))", "optional(tensor(float))"]
        return next((one for one in wanted if one in options), options[0])

    inputs, values = [], []
    for index, formal in enumerate(schema.inputs[: needed(name, schema)]):
        omitted = (name == "Loop" and index < 2) or (name == "Scan" and index < 1 and len(schema.inputs) > 1)
        inputs.append("" if omitted or (name == "Resize" and opset >= 13 and index == 1) else f"i{index}")
        if inputs[-1] != "":
            values.append(helper.make_value_info(inputs[-1], type_of(pick(formal.type_str))))
    kind = TYPES[f"tensor({element(text)})"]
    given = attributes(name, schema, kind)
    if name == "Loop":
        kinds = (TensorProto.INT64, TensorProto.BOOL, kind, TensorProto.BOOL, kind)
        given["body"] = graph(["i", "c", "v"], kinds, ["co", "vo"])
        given["body"].node[0].input[0], given["body"].node[1].input[0] = "c", "v"
    outputs = [f"o{index}" for index, one in enumerate(schema.outputs) if one.option != OPTIONAL] or ["o0"]
    node = helper.make_node(name, inputs, outputs, **given)
    results = [ValueInfoProto(name=one) for one in outputs]
    made = helper.make_graph([node], "main", values, results)
    ir_version = next(version for since, version in IR_VERSIONS if since <= opset)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


for name in sorted({one.name for one in defs.get_all_schemas_with_history() if one.domain == ""}):
    for opset in range(FIRST, LAST + 1):
        if not defs.has(name, opset):
            continue
        schema = defs.get_schema(name, opset)
        if schema.deprecated or not schema.outputs:
            continue
        main = (schema.inputs or schema.outputs)[0].type_str
        options = next((one.allowed_type_strs for one in schema.type_constraints if one.type_param_str == main), [main])
        tensors = [one for one in options if one.startswith("tensor(") and "complex" not in one]
        for text in tensors or [one for one in options if "tensor(float)" in one][:1]:
            made = base64.b64encode(model(schema, main, text, opset).SerializeToString()).decode()
            print(name, NAMES.get(element(text), element(text)), opset, made)
