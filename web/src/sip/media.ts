/** The audio of a call: what a telephone asks of WebRTC. */
export interface CallMedia {
  /** A description to send; `restart`: over another network, with the same audio. */
  offer(restart: boolean): Promise<string>;
  /** The other side's answer. */
  answered(sdp: string): Promise<void>;
  /** The other side's offer; returns the answer. */
  accept(sdp: string): Promise<string>;
  /** Begins anew, for another call with the same microphone. */
  renew(iceServers: RTCIceServer[]): void;
  close(): void;
  /** The network carries audio now. */
  readonly isConnected: boolean;
  /** It carries audio from now on, for the first time or again. */
  onconnected: (() => void) | null;
  /** It has carried nothing for a while, or found no way at all. */
  onlost: (() => void) | null;
  /** The other side's audio arrives: it listens from now on. */
  onheard: (() => void) | null;
}

/** So long are addresses of this browser gathered. */
const GATHERING_MS = 2_000;
/** A connection that is interrupted for so long has to be made again. */
const INTERRUPTED_MS = 3_000;
/** The other side is heard when so many packets have come; so long is waited for them. */
const HEARD_PACKETS = 10;
const HEARD_READ_MS = 100;
const HEARD_MS = 5_000;

export class PeerMedia implements CallMedia {
  onconnected: (() => void) | null = null;
  onlost: (() => void) | null = null;
  onheard: (() => void) | null = null;
  #peer: RTCPeerConnection | null = null;
  #track: MediaStreamTrack;
  readonly #heard: (stream: MediaStream) => void;
  #interrupted: ReturnType<typeof setTimeout> | undefined;

  constructor(track: MediaStreamTrack, heard: (stream: MediaStream) => void) {
    this.#track = track;
    this.#heard = heard;
  }

  renew(iceServers: RTCIceServer[]): void {
    this.close();
    const peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    peer.addTrack(this.#track, new MediaStream([this.#track]));
    peer.ontrack = (event) => this.#heard(event.streams[0] ?? new MediaStream([event.track]));
    peer.onconnectionstatechange = () => this.#changed(peer);
    this.#peer = peer;
  }

  get isConnected(): boolean {
    return this.#peer?.connectionState === "connected";
  }

  /** Sends another microphone from now on. */
  async use(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    await this.#sender?.replaceTrack(track);
  }

  async offer(restart: boolean): Promise<string> {
    const peer = this.#current();
    await peer.setLocalDescription(await peer.createOffer({ iceRestart: restart }));
    await gathered(peer);
    return peer.localDescription?.sdp ?? "";
  }

  async answered(sdp: string): Promise<void> {
    await this.#current().setRemoteDescription({ type: "answer", sdp });
  }

  async accept(sdp: string): Promise<string> {
    const peer = this.#current();
    await peer.setRemoteDescription({ type: "offer", sdp });
    await peer.setLocalDescription(await peer.createAnswer());
    await gathered(peer);
    return peer.localDescription?.sdp ?? "";
  }

  close(): void {
    clearTimeout(this.#interrupted);
    const peer = this.#peer;
    this.#peer = null;
    if (peer) peer.onconnectionstatechange = null;
    peer?.close();
  }

  /** What comes before the other side is ready is lost: it is ready when its audio arrives. */
  async #untilHeard(peer: RTCPeerConnection): Promise<void> {
    for (let waited = 0; waited < HEARD_MS && peer.connectionState === "connected"; waited += HEARD_READ_MS) {
      const stats = await peer.getStats();
      for (const one of stats.values()) {
        if (one.type === "inbound-rtp" && one.packetsReceived >= HEARD_PACKETS) return;
      }
      await new Promise((done) => setTimeout(done, HEARD_READ_MS));
    }
  }

  get #sender(): RTCRtpSender | undefined {
    return this.#peer?.getSenders()[0];
  }

  #current(): RTCPeerConnection {
    if (!this.#peer) throw new Error("the call is over");
    return this.#peer;
  }

  #changed(peer: RTCPeerConnection): void {
    clearTimeout(this.#interrupted);
    const state = peer.connectionState;
    if (state === "connected") {
      this.onconnected?.();
      void this.#untilHeard(peer).then(() => this.onheard?.());
    } else if (state === "failed") this.onlost?.();
    else if (state === "disconnected") this.#interrupted = setTimeout(() => this.onlost?.(), INTERRUPTED_MS);
  }
}

function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((done) => {
    const timer = setTimeout(done, GATHERING_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      done();
    });
  });
}
