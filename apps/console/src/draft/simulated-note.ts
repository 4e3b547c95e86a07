/** Said wherever somebody could think that mail leaves. */
export const SIMULATED_NOTE = 'Practice: the simulated provider delivers to nobody.';
