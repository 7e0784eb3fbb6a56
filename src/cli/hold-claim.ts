// Something that is held for as long as a stream is open: a lock, a leadership, a lease.
// A command may run meanwhile; it ends when what was held is lost.

import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import { CliError, describeFailure, EXIT, reasonOf } from './failure.ts';
import { type Interrupts, signalExitCode, takeInterrupts } from './interrupts.ts';
import { type Resumable, resume } from './resume.ts';
import { startChild } from './run-child.ts';
import type { Use } from './runtime.ts';
import { tellBreaks } from './tell-breaks.ts';

/** What a message says of what is held. */
export interface Standing {
  readonly state: 'waiting' | 'held' | 'lost';
  /** How many stand before it. */
  readonly position: number;
  /** Until when that surely lasts if no further message comes. */
  readonly expireTime: Timestamp | undefined;
}

/** What is to be held. */
export interface Claim<Message> extends Pick<Resumable<Message>, 'open' | 'tokenOf'> {
  /** For messages, such as `lock "reports"`. */
  readonly title: string;
  /** The reason that the failure carries when it is lost, where the gateway gives none. */
  readonly lostReason: string;
  /** The longest that a message may vouch for, in milliseconds: clocks of two machines may differ. */
  readonly ttlMs: number;
  readonly read: (message: Message) => Standing;
  /** Is told when it waits, and whenever its position is another. */
  readonly onWaiting: (message: Message) => void;
  /** Is told once, before the command runs. */
  readonly onHeld: (message: Message) => Promise<void>;
  /** What the command finds in its environment. */
  readonly environment: (message: Message) => Readonly<Record<string, string>>;
  /** Gives up what the last message stands for, held or waited for. */
  readonly release: (message: Message, standing: Standing) => Promise<unknown>;
}

/** Who waits for less is not told that it does. */
const TELL_AFTER_MS = 300;

/** How it is held. */
export interface HoldOptions {
  /** What to run while it is held; empty: nothing, it is held until a signal comes. */
  readonly command: readonly string[];
  /** How long to wait behind others at most, in milliseconds; undefined: for as long as it takes. */
  readonly waitMs?: number | undefined;
}

/** Holds a claim and returns the exit code: the command's, 0 after a signal without one, 4 where it is lost, 128 and a signal's number before it is held. */
export async function holdClaim<Message>(
  claim: Claim<Message>,
  { command, waitMs }: HoldOptions,
  use: Use,
): Promise<number> {
  using interrupts = takeInterrupts();
  await using following = follow(claim, waitMs, use);
  const before = await Promise.race([following.held, interrupts.first, following.waited, following.ended]);
  if (typeof before === 'string') {
    await following.release();
    if (before === 'waited') throw heldByAnother(claim.title, waitMs);
    return signalExitCode(before);
  }
  await claim.onHeld(before.message);
  if (command.length > 0 && interrupts.signal.aborted) {
    // It came too early for the command to get it.
    await following.release();
    return signalExitCode(await interrupts.first);
  }
  // Awaited here: what is held is let go of when this function ends.
  return command.length === 0
    ? await untilInterrupted(following, interrupts)
    : await runCommandWhileHeld(command, claim.environment(before.message), following, interrupts, use);
}

async function untilInterrupted<Message>(
  following: Following<Message>,
  interrupts: Interrupts,
): Promise<number> {
  await Promise.race([interrupts.first, following.ended]);
  await following.release();
  return EXIT.ok;
}

async function runCommandWhileHeld<Message>(
  command: readonly string[],
  added: Readonly<Record<string, string>>,
  following: Following<Message>,
  interrupts: Interrupts,
  { env, output }: Use,
): Promise<number> {
  // From here on they are the command's.
  interrupts[Symbol.dispose]();
  const child = startChild(command, { env: { ...env, ...added }, onUnrunnable: output.note });
  try {
    const code = await Promise.race([child.exited, following.ended]);
    await following.release();
    return code;
  } catch (error) {
    await child.terminate();
    throw error;
  }
}

interface Following<Message> extends AsyncDisposable {
  /** Resolves with the message that says that it is held. */
  readonly held: Promise<{ readonly message: Message }>;
  /** Resolves when it has waited behind others for as long as it may. */
  readonly waited: Promise<'waited'>;
  /** Rejects when it is lost or cannot be had; never resolves. */
  readonly ended: Promise<never>;
  /** Gives up what is held or waited for; what cannot be given up now ends with its lease. */
  release(): Promise<void>;
}

function follow<Message>(
  claim: Claim<Message>,
  waitMs: number | undefined,
  { gateway, output }: Use,
): Following<Message> {
  const controller = new AbortController();
  const held = Promise.withResolvers<{ readonly message: Message }>();
  const waited = Promise.withResolvers<'waited'>();
  let waitTimer: NodeJS.Timeout | undefined;
  let tellTimer: NodeJS.Timeout | undefined;
  let toldPosition: number | undefined;
  let last: { readonly message: Message; readonly standing: Standing } | undefined;
  let isHeld = false;
  let timer: NodeJS.Timeout | undefined;

  const lost = (cause: string, reason = claim.lostReason): CliError =>
    new CliError({
      code: 'aborted',
      reason,
      message: `the ${claim.title} is lost: ${cause}`,
      exitCode: EXIT.conflict,
    });
  const take = (message: Message): void => {
    const standing = claim.read(message);
    last = { message, standing };
    clearTimeout(timer);
    if (standing.state === 'lost') throw lost('its lease ended, or somebody took it away');
    if (standing.state === 'waiting') {
      if (waitMs !== undefined && standing.position > 0)
        waitTimer ??= setTimeout(() => waited.resolve('waited'), waitMs);
      if (standing.position === toldPosition) return;
      clearTimeout(tellTimer);
      tellTimer = setTimeout(() => {
        toldPosition = standing.position;
        claim.onWaiting(message);
      }, TELL_AFTER_MS);
      return;
    }
    clearTimeout(waitTimer);
    clearTimeout(tellTimer);
    timer = setTimeout(
      () => controller.abort(lost('no gateway renewed it in time')),
      remainingMs(standing.expireTime, claim.ttlMs),
    );
    isHeld = true;
    held.resolve({ message });
  };
  const run = async (): Promise<never> => {
    const { signal } = controller;
    const messages = {
      open: claim.open,
      tokenOf: claim.tokenOf,
      ...tellBreaks(output),
    };
    for (;;) {
      try {
        for await (const message of resume(messages, { signal })) take(message);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof CliError) throw error;
        const failure = describeFailure(error, gateway.address);
        if (isHeld) throw lost(failure.message, failure.reason);
        // The place was given to somebody else while no gateway could be reached: wait again, at the end.
        if (last === undefined || reasonOf(error) !== 'SESSION_NOT_FOUND') throw error;
      }
    }
  };
  const ended = run();
  // Who is done with it looks at it no more.
  ended.catch(() => {});
  return {
    held: held.promise,
    waited: waited.promise,
    ended,
    async release() {
      clearTimeout(timer);
      if (last === undefined) return;
      try {
        await claim.release(last.message, last.standing);
      } catch (error) {
        const why = whyOf(error, gateway.address);
        output.note(`the ${claim.title} could not be given up (${why}); it ends by itself`);
      }
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      clearTimeout(waitTimer);
      clearTimeout(tellTimer);
      controller.abort(new Error('done'));
    },
  };
}

/** How long what a message says surely lasts: by this machine's clock, and never longer than the lease. */
function remainingMs(expireTime: Timestamp | undefined, ttlMs: number): number {
  if (expireTime === undefined) return ttlMs;
  return Math.max(0, Math.min(timestampMs(expireTime) - Date.now(), ttlMs));
}

function heldByAnother(title: string, waitMs = 0): CliError {
  const message = `the ${title} is held by another${waitMs > 0 ? `; waited ${waitMs} ms` : ''}`;
  return new CliError({ code: 'aborted', reason: 'LOCK_HELD', message, exitCode: EXIT.conflict });
}

function whyOf(error: unknown, address: string): string {
  if (error === undefined) return 'the stream ended';
  const { reason, code } = describeFailure(error, address);
  return reason ?? code.toUpperCase();
}
