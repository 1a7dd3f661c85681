// The tones there are, for those who asked for them: the graver, the higher.

/** From the least grave on; `off` is beyond them all. */
export const LEVELS = ["info", "warning", "critical", "off"];
/** Hertz, one after the other. @type {Record<string, number[]>} */
const NOTES = { info: [440], warning: [554], critical: [660, 880] };
/** @type {AudioContext | null} */
let audio = null;

/** A short, soft tone. A browser may refuse until its reader did something in the page. @param {string} severity */
export function beep(severity) {
  audio ??= new AudioContext();
  if (audio.state === "suspended") {
    audio.resume().catch(() => {});
  }
  for (const [index, hertz] of (NOTES[severity] ?? []).entries()) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const from = audio.currentTime + index * 0.16;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, from);
    volume.gain.exponentialRampToValueAtTime(0.12, from + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, from + 0.22);
    tone.connect(volume).connect(audio.destination);
    tone.start(from);
    tone.stop(from + 0.25);
  }
}
