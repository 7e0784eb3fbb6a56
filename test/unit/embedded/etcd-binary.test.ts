import { describe, expect, it } from 'vitest';
import {
  architectureLine,
  compareVersions,
  parseEtcdVersion,
  processorName,
} from '../../../src/embedded/etcd-binary.ts';

describe('parseEtcdVersion', () => {
  it.each([
    ['etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8', '3.4.23'],
    ['etcd Version: 3.7.0-rc.0\n', '3.7.0-rc.0'],
    ['etcd Version: v3.6.14\n', '3.6.14'],
    ['a warning first\netcd Version: 3.5.33\n', '3.5.33'],
  ])('reads %j', (output, version) => {
    expect(parseEtcdVersion(output)).toBe(version);
  });

  it.each(['', 'etcdctl version: 3.6.14', 'etcd Version: unknown'])('finds none in %j', (output) => {
    expect(parseEtcdVersion(output)).toBeUndefined();
  });
});

describe('compareVersions', () => {
  it('orders by number, not by letter', () => {
    const versions = ['3.10.0', '3.4.23', '3.4.3', '3.6.14', '3.6.9'];
    expect(versions.sort(compareVersions)).toEqual(['3.4.3', '3.4.23', '3.6.9', '3.6.14', '3.10.0']);
  });

  it('does not count what follows the numbers', () => {
    expect(compareVersions('3.5.0-rc.1', '3.5.0')).toBe(0);
  });
});

describe('a processor', () => {
  it.each([
    ['x64', 'amd64', ':'],
    ['arm64', 'arm64', 'export ETCD_UNSUPPORTED_ARCH=arm64'],
    ['ppc64', 'ppc64le', 'export ETCD_UNSUPPORTED_ARCH=ppc64le'],
  ])('%s is %s to Go, and etcd is told so where it must be', (arch, name, line) => {
    expect(processorName(arch)).toBe(name);
    expect(architectureLine(arch)).toBe(line);
  });
});
