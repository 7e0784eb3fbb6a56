import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PINNED_CHECKSUMS, PINNED_VERSION } from '../../../src/embedded/checksums.ts';
import { NEWEST_VERSION } from '../../support/build-newest-etcd.ts';

describe('the pinned etcd', () => {
  it('has a checksum for the usual processors', () => {
    for (const system of ['linux-amd64', 'linux-arm64']) {
      expect(PINNED_CHECKSUMS).toHaveProperty([`${PINNED_VERSION}/${system}`]);
    }
  });

  it('has checksums that are SHA-256 sums in hex', () => {
    for (const sum of Object.values(PINNED_CHECKSUMS)) expect(sum).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('the newest etcd that tests build', () => {
  it('is the one that go.mod names', () => {
    const module = readFileSync(new URL('../../support/etcd-go/go.mod', import.meta.url), 'utf8');
    expect(module).toContain(`require go.etcd.io/etcd/server/v3 v${NEWEST_VERSION}\n`);
  });
});
