/** Field numbers of `onnx.proto` (IR 3 to 14). Fields not named here are copied unread. */
export const MODEL = { irVersion: 1, graph: 7, opsetImport: 8, metadata: 14, trainingInfo: 20, functions: 25 } as const;
/** Descriptive fields of a model, read on request and otherwise copied. */
export const MODEL_HEADER = {
  producerName: 2,
  producerVersion: 3,
  domain: 4,
  modelVersion: 5,
  docString: 6,
} as const;
export const OPSET = { domain: 1, version: 2 } as const;
export const GRAPH = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
  valueInfo: 13,
  sparseInitializer: 15,
} as const;
export const FUNCTION = {
  name: 1,
  input: 4,
  output: 5,
  attribute: 6,
  node: 7,
  opsetImport: 9,
  domain: 10,
  attributeProto: 11,
  valueInfo: 12,
  overload: 13,
} as const;
export const NODE = {
  input: 1,
  output: 2,
  name: 3,
  opType: 4,
  attribute: 5,
  docString: 6,
  domain: 7,
  overload: 8,
} as const;
export const ATTRIBUTE = {
  name: 1,
  f: 2,
  i: 3,
  s: 4,
  t: 5,
  g: 6,
  floats: 7,
  ints: 8,
  strings: 9,
  tensors: 10,
  graphs: 11,
  type: 20,
  refAttrName: 21,
  sparseTensor: 22,
} as const;
export const TENSOR = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  stringData: 6,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  externalData: 13,
  dataLocation: 14,
} as const;
export const SPARSE = { values: 1, indices: 2, dims: 3 } as const;
export const ENTRY = { key: 1, value: 2 } as const;
export const VALUE_INFO = { name: 1, type: 2 } as const;
export const TYPE = { tensor: 1 } as const;
export const TENSOR_TYPE = { elemType: 1, shape: 2 } as const;
export const SHAPE = { dim: 1 } as const;
export const DIM = { value: 1, param: 2 } as const;
export const TRAINING = { initialization: 1, algorithm: 2, initializationBinding: 3, updateBinding: 4 } as const;

/** `AttributeProto.AttributeType` by number. */
export const ATTRIBUTE_TYPES = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  graphs: 10,
  sparse_tensor: 11,
} as const;

/** Protobuf wire types. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

/**
 * Maximum nesting of messages, as in protobuf-js and protobuf's C++. An attack nests thousands to exhaust the stack.
 */
export const MAX_DEPTH = 100;
/**
 * Maximum length of a name, symbol or domain. Real ones have tens of bytes; an attack writes gigabytes to fill memory.
 */
export const MAX_TEXT: number = 1 << 20;
/** Maximum number of elements of a list in memory (attribute ints and floats; dims have their own limit). */
export const MAX_LIST: number = 1 << 24;
/** Maximum bytes of all names in a model: many names below their own limit would fill the memory as well. */
export const MAX_ALL_TEXT: number = 1 << 28;
/**
 * Maximum number of nodes, attributes, tensors and values in a model. Large models have a few hundred thousand; an
 * attack writes empty ones, which take two bytes each in the file and hundreds in memory.
 */
export const MAX_LEAVES: number = 1 << 21;
/**
 * Maximum number of fields and numbers read in attributes of a model. A model of 20,000 nodes has a million; an attack
 * writes lists of empty names or small numbers, which take two bytes each in the file and tens in memory.
 */
export const MAX_ITEMS: number = 1 << 24;
/** Maximum number of dimensions of a tensor; ONNX Runtime supports far fewer. */
export const MAX_RANK = 64;
/**
 * A protobuf message, and thus a file, must be smaller than 2 GiB: ONNX Runtime and every protobuf library refuse more.
 */
export const MAX_MESSAGE: number = 2 ** 31 - 1;
