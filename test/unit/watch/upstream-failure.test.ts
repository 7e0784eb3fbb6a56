import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/domain/errors.ts';
import { HubUnderTest, told } from './hub-under-test.ts';
import { settled } from './settled.ts';

const DENIED = new DomainError('STORE_PERMISSION_DENIED', 'Not yours');

describe('a watch of the store that fails for good', () => {
  it('ends all its subscribers, those that wait and those that do not', async () => {
    const test = new HubUnderTest();
    const waiting = test.read();
    const idle = test.subscribe();
    await settled();
    test.source.watches[0]?.fail(DENIED);
    await settled();
    expect(waiting.end).toBe(DENIED);
    await expect(test.pull(idle)).rejects.toBe(DENIED);
    waiting.subscription.close();
    idle.close();
    test.expectNothingLeft();
  });

  it('comes behind the changes before it', async () => {
    const test = new HubUnderTest();
    const lease = test.store.grant();
    test.store.put('a', 'x', lease);
    const reader = test.read();
    await settled();
    test.store.hold('lease');
    test.store.endLease(lease);
    test.source.tellAll();
    test.source.watches[0]?.fail(DENIED);
    test.store.letGo('lease');
    await settled();
    expect(told(reader.deliveries)).toEqual(['events 3 expired a']);
    expect(reader.end).toBe(DENIED);
  });

  it('is not joined by those who come after it', async () => {
    const test = new HubUnderTest();
    // It never learns of it, since it never reads.
    const idle = test.subscribe();
    test.source.watches[0]?.fail(DENIED);
    const reader = test.read();
    test.store.put('a', 'x');
    await test.tellAll();
    expect(told(reader.deliveries)).toEqual(['events 2 created a']);
    reader.subscription.close();
    idle.close();
    test.expectNothingLeft();
  });
});
