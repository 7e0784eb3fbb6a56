/** SHA-256 sums of release archives, in hex, by `<version>/<platform>-<arch>` in etcd's own words (`linux-amd64`). */
export type ArchiveChecksums = Readonly<Record<string, string>>;

/** The etcd release that is fetched where the machine has none. */
export const PINNED_VERSION = '3.6.14';

/**
 * The only sums that are trusted: an archive whose sum is not here is not fetched, one that differs is not run.
 *
 * Source: kubernetes-sigs/kubespray, `roles/kubespray_defaults/vars/main/checksums.yml`, August 2026.
 * It lists Linux only; elsewhere etcd comes from the machine's package manager.
 */
export const PINNED_CHECKSUMS: ArchiveChecksums = {
  '3.6.14/linux-amd64': 'ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5',
  '3.6.14/linux-arm64': 'fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e',
  '3.6.14/linux-ppc64le': '1155c5eaff94906f138104f1df71d8c6c99e15ae24f50e5b7120bab25e5e2a1e',
  '3.5.33/linux-amd64': '5025b5b24d81a9616b6e284ccd439b9a3df055ef8fdcdc142af3ec8f6a3b3c95',
  '3.5.33/linux-arm64': '0764c5c0acef155f4bfa0487791cc5776adef66315bf16ec0653883bfd463a90',
};
