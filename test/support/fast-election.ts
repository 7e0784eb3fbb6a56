/**
 * etcd flags with which a single member starts in 0.2 s instead of 1 s. The shortest lease TTL that etcd grants becomes
 * 1 s instead of 2 s. `--heartbeat-interval=100` with `--election-timeout=1000` after them gives etcd's own timing back.
 */
export const FAST_ELECTION: readonly string[] = ['--heartbeat-interval=20', '--election-timeout=200'];
