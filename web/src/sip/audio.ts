/** Microphones, loudspeakers, and how loud it is. */

/** How loud, in dB of full scale; -100: nothing. */
export class LevelMeter {
  readonly #context: AudioContext;
  readonly #analyser: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;
  #source: MediaStreamAudioSourceNode | null = null;

  constructor(context: AudioContext) {
    this.#context = context;
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
  }

  /** Null: measures nothing. */
  measure(track: MediaStreamTrack | null): void {
    this.#source?.disconnect();
    this.#source = track ? this.#context.createMediaStreamSource(new MediaStream([track])) : null;
    this.#source?.connect(this.#analyser);
  }

  read(): number {
    if (!this.#source) return -100;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return levelOf(this.#samples);
  }
}

export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum === 0 ? -100 : Math.max(-100, 10 * Math.log10(sum / samples.length));
}

/** A level as the share of a meter: speech fills most of it. */
export function meterShare(db: number): number {
  return Math.min(1, Math.max(0, (db + 60) / 50));
}

/** A track without sound: for listening only. Keys can be sent beside it, and a microphone can take its place. */
export function silentTrack(context: AudioContext): MediaStreamTrack {
  const destination = context.createMediaStreamDestination();
  // Without a source nothing would be sent at all.
  const source = context.createConstantSource();
  source.offset.value = 0;
  source.connect(destination);
  source.start();
  const track = destination.stream.getAudioTracks()[0];
  if (!track) throw new Error("the browser makes no silent track");
  return track;
}

export interface Devices {
  microphones: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

export async function listDevices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return {
    microphones: all.filter((device) => device.kind === "audioinput" && device.deviceId),
    speakers: all.filter((device) => device.kind === "audiooutput" && device.deviceId),
  };
}

export type MicrophoneFailure = "insecure" | "refused" | "none" | "busy";

export class MicrophoneError extends Error {
  readonly why: MicrophoneFailure;

  constructor(why: MicrophoneFailure) {
    super(why);
    this.why = why;
  }
}

/** Exactly this device: browsers may give another one for a wish. */
const capture = (deviceId: string | null): Promise<MediaStream> =>
  navigator.mediaDevices.getUserMedia({
    audio: {
      ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    },
  });

export async function openMicrophone(deviceId: string | null): Promise<MediaStreamTrack> {
  // Without HTTPS browsers have no microphones.
  if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("insecure");
  try {
    const stream = await capture(deviceId).catch((error) => {
      // It was there at an earlier visit.
      if (deviceId && error instanceof DOMException && error.name === "OverconstrainedError")
        return capture(null);
      throw error;
    });
    const track = stream.getAudioTracks()[0];
    if (!track) throw new MicrophoneError("none");
    return track;
  } catch (error) {
    if (error instanceof MicrophoneError) throw error;
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") throw new MicrophoneError("refused");
    if (name === "NotFoundError" || name === "OverconstrainedError") throw new MicrophoneError("none");
    throw new MicrophoneError("busy");
  }
}

/** Whether the loudspeaker can be chosen here. */
export const canChooseSpeaker =
  typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;

/** Two notes, at the loudspeaker of `element`. */
export async function playSample(context: AudioContext, element: HTMLAudioElement): Promise<void> {
  const out = context.createMediaStreamDestination();
  const gain = context.createGain();
  gain.connect(out);
  gain.gain.value = 0;
  const start = context.currentTime + 0.05;
  [523.25, 783.99].forEach((hz, index) => {
    const tone = context.createOscillator();
    tone.frequency.value = hz;
    tone.connect(gain);
    tone.start(start + index * 0.35);
    tone.stop(start + index * 0.35 + 0.3);
    gain.gain.setTargetAtTime(0.2, start + index * 0.35, 0.02);
    gain.gain.setTargetAtTime(0, start + index * 0.35 + 0.22, 0.03);
  });
  const before = element.srcObject;
  element.srcObject = out.stream;
  await element.play();
  await new Promise((done) => setTimeout(done, 1_000));
  if (element.srcObject === out.stream) element.srcObject = before;
}
