/**
 * The core of the package: from the bytes of a model to those of a smaller one, in any JavaScript runtime. Nothing here
 * reaches a module of Node; index.node.ts adds files, threads and ONNX Runtime.
 */
export {
  type ActivationRange,
  type ActivationRanges,
  expectedSqnr,
  type ProductSignal,
  type ProductSignals,
} from './activations/ranges.ts';
export type {
  Activations,
  Answers,
  AnswerTo,
  Moments as ChannelMoments,
  MomentsRequest,
  NormsRequest,
  Part,
  RangeAnswer,
  RangeRequest,
  Request as ActivationRequest,
  Source as ActivationSource,
  SumRequest as Wanted,
  Sums as Moments,
  Vectors,
} from './activations/requests.ts';
export type { Result, Results } from './activations/results.ts';
export { bytesSink, type Reserved, type Sink } from './bytes/sink.ts';
export { bytesSource, type Source, type SourceFiles } from './bytes/source.ts';
export type { Blob, Kept, Piece, Place, Stored, Streamed, Watcher, WriteTarget, Zeroed } from './bytes/stored.ts';
export { CompressError, type ErrorCode, type ErrorDetails, type ErrorKind } from './errors.ts';
export type { NamedArray, NamedArrays } from './ir/arrays.ts';
export { DTYPES, type DType, type HalfDType } from './ir/dtype.ts';
export { type Constant, Graph, type GraphFields, type Signature, type ValueInfo } from './ir/graph.ts';
export type { DataFile, MetadataEntry, ModelHeader } from './ir/header.ts';
export { Model, type ModelFields, type OpsetImport, type PlacedNode } from './ir/model.ts';
export { type Attribute, type AttributeValue, attribute, createNode, type Node, type NodeFields } from './ir/node.ts';
export { print } from './ir/print.ts';
export { constant, derived, type Origin as TensorOrigin, type SparseTensor, type Tensor } from './ir/tensor.ts';
export type { Use } from './ir/uses.ts';
export { type Elements, type NdArray, type Viewable, view } from './ir/view.ts';
export type { Difference } from './kernels/difference.ts';
export type { GroupPattern } from './kernels/groups.ts';
export type { PatchGeometry } from './kernels/importance/patches.ts';
export { OBSERVERS, type ObservedRange, type ObserverKind } from './kernels/observe/choose.ts';
export type { MatrixView, Multiply, Product, Reals } from './kernels/products.ts';
export type { ExtendedReal } from './kernels/real.ts';
export type { Norm } from './kernels/sliceNorms.ts';
export type { Change, Skip, SkipReason } from './layers/skip.ts';
export type { Addition } from './onnx/encode.ts';
export { type WriteOptions, type Written, writeModel } from './onnx/output.ts';
export type { Part as PlanPart } from './onnx/parts.ts';
export {
  DATA_MODES,
  type DataChunks,
  type DataFilePlan,
  type DataMode,
  type FilePlan,
  type ModelPlan,
  type PlanOptions,
  planModel,
} from './onnx/plan.ts';
export { type ModelBytes, type ReadOptions, readModel } from './onnx/read.ts';
export type { Segment } from './onnx/segment.ts';
export {
  CHANNEL_DEFAULTS,
  CHANNEL_NORMS,
  CHANNEL_OPS,
  type ChannelActivations,
  type ChannelNorm,
  type ChannelOptions,
  type ChannelPass,
  type ChannelReport,
  type GroupReport,
  removeChannels,
} from './passes/channels/index.ts';
export { type ConvertOptions, convert } from './passes/convert.ts';
export { dedupe } from './passes/copy/dedupe.ts';
export { type InputValue, setInputs } from './passes/copy/set.ts';
export { dequantize } from './passes/dequantize/index.ts';
export {
  type DiffOptions,
  diff,
  type HistogramPair,
  type ModelDiff,
  type NodeChange,
  type WeightChange,
} from './passes/diff/index.ts';
export type {
  Change as SizeChange,
  FactChange,
  NodeFacts,
  OperatorChange,
  TensorFacts,
  ValueChange,
} from './passes/diff/types.ts';
export { type EqualizeOptions, equalizationValues, equalize } from './passes/equalize/index.ts';
export type {
  ComputedHalf,
  Deduplicated,
  Dequantized,
  FoldAction,
  Folded,
  PassFact,
  StoredConvs,
} from './passes/facts.ts';
export type { ShortDType } from './passes/float16/forms.ts';
export { FLOAT16_DEFAULTS, type Float16Options, float16 } from './passes/float16/index.ts';
export { FOLD_DEFAULTS, FOLD_RULES, type FoldOptions, type FoldRule, fold } from './passes/fold/index.ts';
export {
  type Pattern,
  type Scratch,
  SPARSEGPT_DEFAULTS,
  type SparseGptOptions,
  WANDA_DEFAULTS,
  type WandaOptions,
} from './passes/importance/options.ts';
export { sparsegpt } from './passes/importance/sparsegpt.ts';
export { wanda } from './passes/importance/wanda.ts';
export type { DTypeFacts, FunctionFacts, OperatorFacts } from './passes/inspect/describe.ts';
export {
  type Inspection,
  type InspectOptions,
  inspect,
  type MeasuredWeight,
  type Plan,
  type Planner,
  type Recipe as SizeRecipe,
  type WeightFacts,
  type WeightStatistics,
} from './passes/inspect/index.ts';
export type { Prediction, PruneTarget } from './passes/inspect/recipes.ts';
export type { Role as WeightRole } from './passes/inspect/roles.ts';
export { PACK_DEFAULTS, type PackOptions, pack, STORES, type Store, unpack } from './passes/pack/index.ts';
export { type Pass, type PassReport, type TransformOptions, transform, type Watch } from './passes/pass.ts';
export {
  type Axis,
  isPruned,
  PRUNABLE_OPS,
  PRUNE_DEFAULTS,
  type PruneOptions,
  prune,
  type SliceSparsity,
  sparsity,
  type WeightSparsity,
} from './passes/prune/index.ts';
export { correctionValues } from './passes/quantize/correctionValues.ts';
export type { Format as QuantizeFormat } from './passes/quantize/emit.ts';
export {
  type LowOptions,
  QUANTIZABLE_OPS,
  QUANTIZE_DEFAULTS,
  type QuantizeOptions,
  quantize,
} from './passes/quantize/index.ts';
export {
  calibrationValues,
  type Preference,
  quantizeStatic,
  STATIC_DEFAULTS,
  type StaticOptions,
} from './passes/quantize/static/index.ts';
export type { ActivationDType } from './passes/quantize/static/qdq.ts';
export {
  formatRecipe,
  parseRecipe,
  RECIPE_KEY,
  type Recipe,
  type RecipeStep,
  type RecipeValue,
  recordedRecipe,
  recordRecipe,
} from './passes/recipe.ts';

export {
  type Layer,
  type Outcome,
  type RankedLayer,
  type SearchOptions,
  type SearchResult,
  searchFloatLayers,
  type Trial,
} from './passes/tune/search.ts';
export type { SchemeFacts } from './schemes/decodable.ts';
