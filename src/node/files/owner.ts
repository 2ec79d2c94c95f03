import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, uptime } from 'node:os';

/**
 * The process that made a temporary file, as a part of its name: host, boot, process, when the process began, and a
 * number of its own. With it a later run can tell what a killed one left behind from what a live one is using.
 */
export const TAG = '([0-9a-f]{8})-([0-9a-f]{8})-(\\d{1,10})-(\\d{1,20})-([0-9a-f]{12})';

/** Where nothing tells one boot from another, or when a process began (no Linux). */
const UNKNOWN_BOOT = '00000000';
const UNKNOWN_START = '0';

/** Clocks may differ a little between the boot and a file system. */
const CLOCK_MARGIN = 60_000;

/** How names in the folder for temporary files begin, before the tag. */
export const PREFIX = 'onnx-compress-';

let self: string | undefined;

/** A new tag of this process, unlike every other. */
export function newTag(): string {
  self ??= `${hostId()}-${bootId()}-${process.pid}-${stateOf(process.pid)?.start ?? UNKNOWN_START}`;
  return `${self}-${randomBytes(6).toString('hex')}`;
}

/**
 * Whether the process of a tag has ended for certain. Whatever is in doubt counts as alive: other hosts, other
 * containers (each has a process 1), processes that may not be looked at.
 * @param modified - when its file was last written, in milliseconds since 1970
 */
export function isDead(tag: string, modified: number): boolean {
  const [, host, boot, digits, start] = new RegExp(`^${TAG}$`).exec(tag) ?? [];
  if (host === undefined || host !== hostId()) return false;
  const pid = Number(digits);
  if (boot !== bootId()) {
    // Hosts that are clones of each other would look like this too: there the file would be newer than our own boot.
    return modified < Date.now() - uptime() * 1000 - CLOCK_MARGIN;
  }
  if (!exists(pid)) return true;
  const state = stateOf(pid);
  return state !== undefined && start !== UNKNOWN_START && !isIt(state, start);
}

/** The process of a tag, where it is certain that it lives and that its number means the same here. */
export function liveProcess(tag: string): number | undefined {
  const [, host, boot, digits, start] = new RegExp(`^${TAG}$`).exec(tag) ?? [];
  if (host !== hostId() || boot !== bootId() || boot === UNKNOWN_BOOT) return undefined;
  const pid = Number(digits);
  const state = stateOf(pid);
  return state !== undefined && isIt(state, start) ? pid : undefined;
}

/** Not the same number, given to another process meanwhile; nor one that has ended and is still to be buried. */
function isIt(state: ProcessState, start: string | undefined): boolean {
  return state.start === start && state.letter !== 'Z' && state.letter !== 'X';
}

function exists(pid: number): boolean {
  try {
    // Signal 0 is not sent: the call only tells whether the process exists.
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

interface ProcessState {
  readonly letter: string;
  readonly start: string;
}

/** State and beginning of a process, in ticks since the boot: the 3rd and 22nd field of its `stat`. */
function stateOf(pid: number): ProcessState | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The 2nd field is the program's name in brackets, which may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [letter, start] = [fields[0], fields[19]];
  return letter === undefined || start === undefined || !/^\d{1,20}$/.test(start) ? undefined : { letter, start };
}

let host: string | undefined;
let boot: string | undefined;

/** This host or container: its name, its machine id where it has one, and its namespace of process numbers. */
function hostId(): string {
  host ??= digest([hostname(), textOf('/etc/machine-id') ?? '', linkOf('/proc/self/ns/pid') ?? ''].join('\n'));
  return host;
}

function bootId(): string {
  const id = textOf('/proc/sys/kernel/random/boot_id');
  boot ??= id === undefined ? UNKNOWN_BOOT : digest(id);
  return boot;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
