import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { describeFailure, failureJson, failureLine, usageError } from '../../../src/cli/failure.ts';
import { doesPass } from '../../../src/cli/resume.ts';
import type { ErrorReason } from '../../../src/domain/errors.ts';
import { reasonError } from '../../../src/rpc/checks/errors.ts';

const ADDRESS = 'http://127.0.0.1:8090';

describe('the exit code', () => {
  it.each<[ErrorReason, number]>([
    ['KEY_NOT_FOUND', 3],
    ['NO_LEADER', 3],
    ['REVISION_MISMATCH', 4],
    ['LOCK_HELD', 4],
    ['FENCE_LOST', 4],
    ['LEASE_ALREADY_EXISTS', 4],
    ['STORE_UNAVAILABLE', 5],
    ['DEADLINE_EXCEEDED', 5],
    ['SECRET_ACCESS_DENIED', 6],
    ['FIELD_INVALID', 1],
    ['INTERNAL', 1],
  ])('of %s is %d', (reason, exitCode) => {
    expect(describeFailure(reasonError(reason, 'why'), ADDRESS)).toMatchObject({ exitCode, reason });
  });

  it.each([
    [Code.Unavailable, 5],
    [Code.Aborted, 5],
    [Code.DeadlineExceeded, 5],
    [Code.Unauthenticated, 6],
    [Code.Unimplemented, 1],
  ])('of code %d without a reason of the gateway is %d', (code, exitCode) => {
    expect(describeFailure(new ConnectError('why', code), ADDRESS).exitCode).toBe(exitCode);
  });

  it('of a command line that cannot be used is 2, of anything else 1', () => {
    expect(describeFailure(usageError('why'), ADDRESS).exitCode).toBe(2);
    expect(describeFailure(new Error('why'), ADDRESS).exitCode).toBe(1);
  });
});

describe('a failure', () => {
  const failure = describeFailure(
    reasonError('KEY_NOT_FOUND', 'Key "a"\n is not there', { key: 'a' }),
    ADDRESS,
  );

  it('is one line for people', () => {
    expect(failureLine(failure)).toBe('concord: Key "a" is not there (KEY_NOT_FOUND)');
    expect(failureLine(usageError('say a key').failure)).toBe('concord: say a key');
  });

  it('is one line of JSON for scripts', () => {
    expect(JSON.parse(failureJson(failure))).toEqual({
      code: 'not_found',
      reason: 'KEY_NOT_FOUND',
      message: 'Key "a"\n is not there',
      metadata: { key: 'a' },
    });
    expect(failureJson(failure)).not.toContain('\n');
  });
});

describe('what passes by itself', () => {
  it.each<ErrorReason>(['SHUTTING_DOWN', 'STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'WATCH_TOO_SLOW'])(
    'is %s',
    (reason) => {
      expect(doesPass(reasonError(reason, 'why'))).toBe(true);
    },
  );

  it.each<ErrorReason>(['SESSION_NOT_FOUND', 'SESSION_TAKEN_OVER', 'FIELD_INVALID', 'REVISION_COMPACTED'])(
    'is not %s',
    (reason) => {
      expect(doesPass(reasonError(reason, 'why'))).toBe(false);
    },
  );

  it('is a connection that breaks before the gateway can say why', () => {
    expect(doesPass(new ConnectError('read ECONNRESET', Code.Aborted))).toBe(true);
    expect(doesPass(new Error('a fault of ours'))).toBe(false);
  });
});
