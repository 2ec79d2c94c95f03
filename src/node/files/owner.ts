import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, uptime } from 'node:os';

/**
 * The process that made a temporary file, as part of its name: host, boot, process, start time of the process, and a
 * unique number. It tells a later run whether the file was left by a killed process or is in use.
 */
export const TAG = '([0-9a-f]{8})-([0-9a-f]{8})-(\\d{1,10})-(\\d{1,20})-([0-9a-f]{12})';

/** The boot id where boots, or start times of processes, cannot be told apart (not Linux). */
const UNKNOWN_BOOT = '00000000';
const UNKNOWN_START = '0';

/** Clocks of the boot and of a file system may differ a little. */
const CLOCK_MARGIN = 60_000;

/** Prefix of names in the temporary folder, before the tag. */
export const PREFIX = 'onnx-compress-';

let self: string | undefined;

/** A new unique tag of this process. */
export function newTag(): string {
  self ??= `${hostId()}-${bootId()}-${process.pid}-${stateOf(process.pid)?.start ?? UNKNOWN_START}`;
  return `${self}-${randomBytes(6).toString('hex')}`;
}

/**
 * Whether the process of a tag has certainly ended. Doubtful cases count as alive: other hosts, other containers (each
 * has a process 1), processes that may not be inspected.
 * @param modified - last write to its file, in milliseconds since 1970
 */
export function isDead(tag: string, modified: number): boolean {
  const [, host, boot, digits, start] = new RegExp(`^${TAG}$`).exec(tag) ?? [];
  if (host === undefined || host !== hostId()) return false;
  const pid = Number(digits);
  if (boot !== bootId()) {
    // Cloned hosts would look the same; then the file would be newer than this host's boot.
    return modified < Date.now() - uptime() * 1000 - CLOCK_MARGIN;
  }
  if (!exists(pid)) return true;
  const state = stateOf(pid);
  return state !== undefined && start !== UNKNOWN_START && !isIt(state, start);
}

/** The process of a tag, if it certainly is alive and its number means the same here. */
export function liveProcess(tag: string): number | undefined {
  const [, host, boot, digits, start] = new RegExp(`^${TAG}$`).exec(tag) ?? [];
  if (host !== hostId() || boot !== bootId() || boot === UNKNOWN_BOOT) return undefined;
  const pid = Number(digits);
  const state = stateOf(pid);
  return state !== undefined && isIt(state, start) ? pid : undefined;
}

/** Whether it is the same process: the number was not reused, and the process is not a zombie. */
function isIt(state: ProcessState, start: string | undefined): boolean {
  return state.start === start && state.letter !== 'Z' && state.letter !== 'X';
}

function exists(pid: number): boolean {
  try {
    // Signal 0 is not sent: the call only checks whether the process exists.
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

/** State and start time of a process, in ticks since the boot: the 3rd and 22nd field of its `stat`. */
function stateOf(pid: number): ProcessState | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The 2nd field is the program's name in brackets, which may contain anything.
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
