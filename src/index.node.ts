/** The package under Node: the core, with models read from and written to files, threads, data and ONNX Runtime. */
export * from './index.ts';
export {
  CALIBRATE_DEFAULTS,
  type CalibrateOptions,
  type Calibration,
  calibrate,
} from './node/activations/calibrate.ts';
export { type ActivationOptions, type DataActivations, openActivations } from './node/activations/open.ts';
export type { OnProgress } from './node/activations/progress.ts';
export { openArrays } from './node/data/arrays.ts';
export { type DataFor, fittingRandomData, type TrialRun } from './node/data/fitting.ts';
export { type Fill, type ModelInput, modelInputs } from './node/data/inputs.ts';
export type { Lengths } from './node/data/lengths.ts';
export { type DataOptions, openData } from './node/data/open.ts';
export { type RandomOptions, randomData } from './node/data/random.ts';
export type { DataSet, FeedData, FeedTensor, Sample } from './node/data/types.ts';
export type { Identity } from './node/files/results.ts';
export { type ResultsFolder, type ResultsFolderOptions, resultsFolder } from './node/files/resultsFolder.ts';
export { type ScratchFile, scratchFile } from './node/files/scratch.ts';
export { type FileSinkOptions, fileSink } from './node/files/sink.ts';
export { fileSource } from './node/files/source.ts';
export { type CheckBeginning, spool } from './node/files/spool.ts';
export { type ByteStream, streamSink } from './node/files/standard.ts';
export { type FileUrl, type ReadOptions, readModel, type WriteOptions, writeModel } from './node/model.ts';
export { type CalibratedOptions, calibratedQuantize } from './node/recipes/calibrated.ts';
export { type ChannelRun, checkedChannels } from './node/recipes/channels.ts';
export { type Check, type CheckOptions, check } from './node/recipes/check.ts';
export { type DecoderFiles, type Family, findFamily, sameFamily } from './node/recipes/generation/family.ts';
export { checkFamilyGates } from './node/recipes/generation/gates.ts';
export { type Prompt, type Prompts, promptsOf, promptsOfText } from './node/recipes/generation/prompts.ts';
export { openTokenizer, type Tokenizer } from './node/recipes/generation/tokenizer.ts';
export {
  type DecoderReport,
  type FamilyOptions,
  type FamilyReport,
  type Texts,
  verifyFamily,
} from './node/recipes/generation/verify.ts';
export { type DataPruneOptions, type DataPruneRun, prunedByData } from './node/recipes/importance.ts';
export { type RunRecipeOptions, runRecipe } from './node/recipes/runRecipe.ts';
export { type TuneOptions, type TuneReport, type TuneTrial, tune } from './node/recipes/tune/index.ts';
export {
  type VariantFailure,
  type VariantFile,
  type VariantsOptions,
  type VariantsReport,
  variants,
} from './node/recipes/variants/index.ts';
export {
  type BatchReport,
  type BenchOptions,
  type BenchReport,
  bench,
  checkRatio,
  type ModelReport,
  type Spread,
  type Timing,
} from './node/runtime/bench.ts';
export type { OutputFigures, Share } from './node/runtime/compare.ts';
export { JUDGE_DEFAULTS, type Judge, type Judgement, type JudgeOptions, openJudge } from './node/runtime/judge.ts';
export type { Kernel, UnfusedWeight } from './node/runtime/kernels.ts';
export type { OutputChoice } from './node/runtime/outputs/comparisons.ts';
export { type Classes, type OutputKind, outputKinds } from './node/runtime/outputs/kinds.ts';
export { loadRanges, type RangesMeta, type SavedRanges, saveRanges } from './node/runtime/rangesFile.ts';
export { checkGates, type Gates, type VerifyOptions, type VerifyReport, verify } from './node/runtime/verify.ts';
export { BENCH_DEFAULTS } from './options/measure.ts';
export { METRICS, type MetricName } from './options/metrics.ts';
