/** Bounds that the description of the API has, and `/v1/limits` has not. A test compares them. */

/** Gain of a participant, in dB. */
export const GAIN_DB = { min: -40, max: 20 };

/** Dates of a series. */
export const SERIES_DATES_MAX = 366;
