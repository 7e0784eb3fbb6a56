import { isDeepStrictEqual } from 'node:util';
import { PROMPT_METHODS, WAITING_METHODS } from './both-ways.ts';
import type { Comparison } from './compare-calls.ts';
import type { ReadAnswer } from './read-answer.ts';

/** Calls of one kind, and what it means that two answers to them are the same. */
export type KindOfCalls = Omit<Comparison, 'calls' | 'seed' | 'signal'>;

/** Calls that are answered as soon as they can be. */
export const PROMPT_CALLS: KindOfCalls = { methods: PROMPT_METHODS };

/** Calls that stream or wait, until their deadline. */
export const WAITING_CALLS: KindOfCalls = {
  methods: WAITING_METHODS,
  headers: { 'connect-timeout-ms': '300', 'grpc-timeout': '300m' },
  atOnce: 20,
  isSame: (direct, byLibrary) => isDeepStrictEqual(outline(direct), outline(byLibrary)),
};

/** Time-outs of gRPC that have passed when the call comes. */
export const PAST_TIMEOUTS = ['0m', '1u', '1n'] as const;

/** Calls that are overdue when they come. @param timeout as gRPC writes it; Connect has only zero. */
export function overdueCalls(timeout: (typeof PAST_TIMEOUTS)[number]): KindOfCalls {
  return {
    methods: [...PROMPT_METHODS, ...WAITING_METHODS],
    headers: { 'connect-timeout-ms': '0', 'grpc-timeout': timeout },
    isSame: isSameOrOverdue,
  };
}

/** What others do meanwhile shows in the messages of a stream: how many there are, and what is in them. */
function outline({ messages, ...answer }: ReadAnswer) {
  return { ...answer, hasMessages: messages.length > 0 };
}

/**
 * By the library a call of a nanosecond may have been served before that has passed, and one whose compression nobody knows fails of
 * that first.
 */
function isSameOrOverdue(direct: ReadAnswer, byLibrary: ReadAnswer): boolean {
  if (isDeepStrictEqual(outline(direct), outline(byLibrary))) return true;
  return direct.error?.reason === 'DEADLINE_EXCEEDED';
}
