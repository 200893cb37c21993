/** The degrees of caution for a customer. */
export const PROFILE_NAMES = ['strict', 'normal', 'relaxed'] as const;

export type ProfileName = (typeof PROFILE_NAMES)[number];

/** The profile of customers that name none, and of victims without an owner. */
export const USUAL_PROFILE: ProfileName = 'normal';

/** Factors on a step's values; the scaled confidence is at most 0.95. */
export interface Profile {
  readonly confidence: number;
  readonly persistence: number;
  readonly ttl: number;
}

/** Defaults of `profiles` in prefixd.yaml. */
export const DEFAULT_PROFILES: Readonly<Record<ProfileName, Profile>> = {
  strict: { confidence: 0.8, persistence: 0.5, ttl: 1.5 },
  normal: { confidence: 1, persistence: 1, ttl: 1 },
  relaxed: { confidence: 1.2, persistence: 2, ttl: 0.75 },
};
