import type { ModelDiff } from '../../passes/diff/index.ts';

/** What `diff --json` writes. */
export interface DiffJson extends ModelDiff {
  /** Paths of the two models. */
  readonly before: string;
  readonly after: string;
  /** Whether they are the same byte for byte. */
  readonly identical: boolean;
}
