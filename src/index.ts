export { bytesSink, type Sink } from './bytes/sink.ts';
export { bytesSource, type Source } from './bytes/source.ts';
export { CompressError, type ErrorCode } from './errors.ts';
export { type ScratchFile, scratchFile } from './io/scratch.ts';
export { fileSink } from './io/sink.ts';
export { fileSource } from './io/source.ts';
export { spool } from './io/spool.ts';
export { streamSink } from './io/standard.ts';
export type { NamedArray, NamedArrays } from './ir/arrays.ts';
export type { DType } from './ir/dtype.ts';
export { Graph, type ValueInfo } from './ir/graph.ts';
export type { DataFile, MetadataEntry, ModelHeader } from './ir/header.ts';
export { Model } from './ir/model.ts';
export { attribute, createNode, type Node } from './ir/node.ts';
export { print } from './ir/print.ts';
export { type ActivationRange, type ActivationRanges, expectedSqnr } from './ir/ranges.ts';
export { constant, derived, type SparseTensor, type Tensor } from './ir/tensor.ts';
export type { GroupPattern } from './kernels/groups.ts';
export { OBSERVERS, type ObserverKind } from './kernels/observe/choose.ts';
export type { Norm } from './kernels/sliceNorms.ts';
export { type DataMode, type ModelPlan, planModel } from './onnx/plan.ts';
export { type ReadOptions, readModel } from './onnx/read.ts';
export { type WriteOptions, type Written, writeModel } from './onnx/write.ts';
export {
  type ActivationSource as ChannelActivations,
  CHANNEL_DEFAULTS,
  CHANNEL_NORMS,
  CHANNEL_OPS,
  type ChannelNorm,
  type ChannelOptions,
  type ChannelPass,
  type ChannelReport,
  type GroupReport,
  type InputOf,
  type Moments as ChannelMoments,
  removeChannels,
  type Windows,
} from './passes/channels/index.ts';
export { type ConvertOptions, convert } from './passes/convert.ts';
export {
  type DiffOptions,
  diff,
  type HistogramPair,
  type ModelDiff,
  type NodeChange,
  type WeightChange,
} from './passes/diff/index.ts';
export { equalize } from './passes/equalize/index.ts';
export { FOLD_DEFAULTS, FOLD_RULES, type FoldOptions, type FoldRule, fold } from './passes/fold/index.ts';
export type {
  Activations,
  Moments,
  Scratch,
  Source as ActivationSource,
  Wanted,
} from './passes/importance/activations.ts';
export {
  type Pattern,
  SPARSEGPT_DEFAULTS,
  type SparseGptOptions,
  WANDA_DEFAULTS,
  type WandaOptions,
} from './passes/importance/options.ts';
export { sparsegpt } from './passes/importance/sparsegpt.ts';
export { wanda } from './passes/importance/wanda.ts';
export {
  type Inspection,
  type InspectOptions,
  inspect,
  type Plan,
  type Planner,
  type Recipe as SizeRecipe,
  type WeightFacts,
  type WeightStatistics,
} from './passes/inspect/index.ts';
export { PACK_DEFAULTS, type PackOptions, pack, STORES, type Store, unpack } from './passes/pack/index.ts';
export { type Change, type Pass, type PassReport, type Skip, type SkipReason, transform } from './passes/pass.ts';
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
export { QUANTIZABLE_OPS, QUANTIZE_DEFAULTS, type QuantizeOptions, quantize } from './passes/quantize/index.ts';
export { correctBias, correctionValues } from './passes/quantize/static/correct.ts';
export {
  calibrationValues,
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
export { BENCH_DEFAULTS, type BenchOptions, type BenchReport, bench, checkRatio } from './runtime/bench.ts';
export { CALIBRATE_DEFAULTS, type CalibrateOptions, type Calibration, calibrate } from './runtime/calibrate.ts';
export { openArrays } from './runtime/data/arrays.ts';
export { type DataFor, fittingRandomData, type TrialRun } from './runtime/data/fitting.ts';
export { type Fill, type ModelInput, modelInputs } from './runtime/data/inputs.ts';
export type { Lengths } from './runtime/data/lengths.ts';
export { type DataOptions, openData } from './runtime/data/open.ts';
export { type RandomOptions, randomData } from './runtime/data/random.ts';
export type { DataSet, FeedData, FeedTensor, Sample } from './runtime/data/types.ts';
export { type ActivationOptions, type DataActivations, openActivations } from './runtime/gram.ts';
export { JUDGE_DEFAULTS, type Judge, type Judgement, type JudgeOptions, openJudge } from './runtime/judge.ts';
export { loadRanges, saveRanges } from './runtime/rangesFile.ts';
export { checkGates, type Gates, type VerifyOptions, type VerifyReport, verify } from './runtime/verify.ts';
