import type { Blob } from '../bytes/stored.ts';

/** One entry of `metadata_props`: a note about the model, under a key. */
export interface MetadataEntry {
  readonly key: string;
  /** UTF-8. It may be a whole tokenizer, so it stays in the file until it is requested. */
  readonly value: Blob;
  /** Fields of the file that this package does not know, copied unread. */
  readonly extra?: Blob;
}

/** A file with weights next to the model. */
export interface DataFile {
  /** As the model names it, relative to the model's folder. */
  readonly location: string;
  readonly byteLength: number;
}

/** Descriptive fields of a file, for people. Passes neither read nor change them. */
export interface ModelHeader {
  readonly producerName: string;
  readonly producerVersion: string;
  /** Reverse-DNS name of the model's owner, `''` in most files. */
  readonly domain: string;
  readonly modelVersion: number;
  readonly docString: Blob | undefined;
  readonly metadata: readonly MetadataEntry[];
  /** Size of the model file alone; 0 for a model that was not read from a file. */
  readonly byteLength: number;
  readonly dataFiles: readonly DataFile[];
}

/** The header of a model that was created, not read; its metadata is the model's own. */
export const NO_HEADER: Omit<ModelHeader, 'metadata'> = {
  producerName: '',
  producerVersion: '',
  domain: '',
  modelVersion: 0,
  docString: undefined,
  byteLength: 0,
  dataFiles: [],
};
