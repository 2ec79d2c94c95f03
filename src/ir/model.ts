/// <reference lib="esnext.disposable" preserve="true" />
import type { Blob } from '../bytes/stored.ts';
import { withBodies } from './bodies.ts';
import type { Graph } from './graph.ts';
import { type MetadataEntry, type ModelHeader, NO_HEADER } from './header.ts';
import { isStandard, type Node } from './node.ts';

/** One `opset_import` entry: which version of a domain's operators the model speaks. */
export interface OpsetImport {
  /** `''` is the standard domain, `ai.onnx`. */
  readonly domain: string;
  readonly version: number;
  /** Fields of the file we do not model, carried along unread. */
  readonly extra?: Blob;
}

export interface ModelFields {
  readonly irVersion: number;
  readonly opsets: readonly OpsetImport[];
  readonly graph: Graph;
  readonly functions?: readonly Graph[];
  readonly metadata?: readonly MetadataEntry[];
  /** Names that `training_info` refers to; those weights must stay under their names. */
  readonly trainingNames?: ReadonlySet<string>;
  /** Gives back files the model still reads from. */
  readonly release?: () => Promise<void>;
  /** Reads what the file says about itself. */
  readonly header?: () => Promise<Omit<ModelHeader, 'metadata'>>;
}

/** Which version of the standard operators these imports ask for; undefined if none does. */
export function standardVersion(opsets: readonly OpsetImport[]): number | undefined {
  return opsets.find((one) => isStandard(one.domain))?.version;
}

/** What is said of a model that has no opset, e.g. of one of ai.onnx.ml alone. */
export const NO_OPSET = 'the model imports no version of the standard operators';

/** What a node and the function it calls have in common. */
function callKey(domain = '', name = '', overload = ''): string {
  return JSON.stringify([domain, name, overload]);
}

/** The first IR version whose initializers need not be graph inputs. */
export const FREE_INITIALIZERS = 4;

/** A whole model: its main graph, its functions and the versions it is written in. */
export class Model {
  readonly graph: Graph;
  readonly trainingNames: ReadonlySet<string>;
  #functions: readonly Graph[];
  #callees: Map<string, Graph> | undefined;
  #irVersion: number;
  #opsets: readonly OpsetImport[];
  #metadata: readonly MetadataEntry[];
  readonly #releases: (() => Promise<void>)[];
  readonly #header: () => Promise<Omit<ModelHeader, 'metadata'>>;

  constructor(fields: ModelFields) {
    this.graph = fields.graph;
    this.#functions = fields.functions ?? [];
    this.trainingNames = fields.trainingNames ?? new Set();
    this.#irVersion = fields.irVersion;
    this.#opsets = fields.opsets;
    this.#metadata = fields.metadata ?? [];
    this.#releases = fields.release === undefined ? [] : [fields.release];
    this.#header = fields.header ?? (async () => NO_HEADER);
    this.graph.setListsInitializers(this.#irVersion < FREE_INITIALIZERS);
  }

  get irVersion(): number {
    return this.#irVersion;
  }

  get opsets(): readonly OpsetImport[] {
    return this.#opsets;
  }

  /** Whether the model imports a version of the standard domain; one of other domains alone need not. */
  get hasOpset(): boolean {
    return standardVersion(this.#opsets) !== undefined;
  }

  /** Whether a node of the model, or of its functions, is a standard operator. */
  get usesStandard(): boolean {
    for (const { node } of this.nodes()) if (isStandard(node.domain)) return true;
    return false;
  }

  /** Version of the standard domain; 0 where the model imports none, which is said as `NO_OPSET`. */
  get opset(): number {
    return standardVersion(this.#opsets) ?? 0;
  }

  /** States that the model now speaks version `version` of the standard domain. Changes no node. */
  setOpset(version: number): void {
    const standard = (one: OpsetImport): boolean => isStandard(one.domain);
    if (!this.#opsets.some(standard)) this.#opsets = [...this.#opsets, { domain: '', version }];
    else this.#opsets = this.#opsets.map((one) => (standard(one) ? { ...one, version } : one));
  }

  /** Adds a domain the model did not speak, or changes nothing where it does. */
  addOpset(domain: string, version: number): void {
    if (!this.#opsets.some((one) => one.domain === domain)) this.#opsets = [...this.#opsets, { domain, version }];
  }

  /** Takes back the import of a domain. */
  removeOpset(domain: string): void {
    this.#opsets = this.#opsets.filter((one) => one.domain !== domain);
  }

  /** Adds a function; its domain must be imported too. */
  addFunction(one: Graph): void {
    this.#functions = [...this.#functions, one];
    this.#callees = undefined;
  }

  /** Removes a function that no node calls any more. */
  removeFunction(one: Graph): void {
    this.#functions = this.#functions.filter((other) => other !== one);
    this.#callees = undefined;
  }

  /**
   * The local function that a node calls; undefined for an operator. ONNX leaves open which one counts where a function
   * has the name of a standard operator: with ONNX Runtime the operator does.
   */
  callee({ domain, opType, overload }: Node): Graph | undefined {
    if (isStandard(domain) || this.#functions.length === 0) return undefined;
    this.#callees ??= new Map(
      this.#functions.map((one) => [callKey(one.signature?.domain, one.name, one.signature?.overload), one]),
    );
    return this.#callees.get(callKey(domain, opType, overload));
  }

  get functions(): readonly Graph[] {
    return this.#functions;
  }

  /**
   * States the IR version. From version 4 on, an initializer that is also a graph input is a value that callers may
   * replace: where the version rises past that, the initializers leave the inputs and stay constants.
   */
  setIrVersion(version: number): void {
    const { graph } = this;
    if (this.#irVersion < FREE_INITIALIZERS && version >= FREE_INITIALIZERS) {
      for (const name of graph.initializers.keys()) graph.removeInput(name);
    }
    this.#irVersion = version;
    graph.setListsInitializers(version < FREE_INITIALIZERS);
  }

  /** Raises the IR version to `FREE_INITIALIZERS` where an initializer has come that is not a graph input. */
  freeInitializers(): void {
    if (this.#irVersion >= FREE_INITIALIZERS) return;
    const isFree = (graph: Graph): boolean => [...graph.initializers.keys()].some((name) => !graph.isInput(name));
    if (this.graphs().some(isFree)) this.setIrVersion(FREE_INITIALIZERS);
  }

  /** What is noted about the model, in the order of the file. */
  get metadata(): readonly MetadataEntry[] {
    return this.#metadata;
  }

  removeMetadata(key: string): void {
    this.#metadata = this.#metadata.filter((one) => one.key !== key);
  }

  /** Notes `text` under `key`, in place of what was noted there; the other entries stay as they are. */
  setMetadata(key: string, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const entry: MetadataEntry = { key, value: { byteLength: bytes.byteLength, load: async () => bytes } };
    const at = this.#metadata.findIndex((one) => one.key === key);
    const others = this.#metadata.filter((one) => one.key !== key);
    this.#metadata = at < 0 ? [...others, entry] : [...others.slice(0, at), entry, ...others.slice(at)];
  }

  /** Every graph of the model: the main one, functions, and the bodies inside them, outer before inner. */
  graphs(): readonly Graph[] {
    return withBodies([this.graph, ...this.functions]);
  }

  /** Every node with the graph it is in. */
  *nodes(): Generator<{ readonly graph: Graph; readonly node: Node }> {
    for (const graph of this.graphs()) for (const node of graph.nodes) yield { graph, node };
  }

  /** What made the model and its files, as the file it was read from has them, and its metadata as they are now. */
  async header(): Promise<ModelHeader> {
    return { ...(await this.#header()), metadata: this.#metadata };
  }

  /** Closes the files the model reads its weights from. Nothing can be loaded afterwards; a second call does nothing. */
  async close(): Promise<void> {
    for (const release of this.#releases.splice(0)) await release();
  }

  /** Gives back something that weights are read from, when the model is closed. */
  onClose(release: () => Promise<void>): void {
    this.#releases.push(release);
  }

  /** As {@link close}, at the end of the block that says `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
