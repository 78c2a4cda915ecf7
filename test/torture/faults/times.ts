/**
 * Longer than the sessions of a tortured system: the group reassigns the partitions of a member that is silent this
 * long.
 */
export const BEYOND_SESSION_MS = 14_000;
