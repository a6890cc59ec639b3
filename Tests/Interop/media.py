"""The film and the speech in the forms that browsers take, made once into .assets/interop from what
`Scripts/setup.sh media` has fetched: a stamped Y4M for Chromium's fake camera, a stamped WebM for Firefox."""
import os
import subprocess

import numpy as np

import checks
from matrix import ROOT

ASSETS = os.path.join(ROOT, ".assets")
CLIP = os.path.join(ASSETS, "bigbuckbunny.mp4")
SPEECH = os.path.join(ASSETS, "speech.wav")
WIDTH, HEIGHT, FPS = 1280, 720, 25
# Long enough for the longest case with Firefox, and short enough that no counter comes twice.
WEBM_SECONDS = 36


class MediaError(Exception):
    pass


def _frames(loops):
    """The pictures of the clip as I420 bytes, over and over."""
    size = WIDTH * HEIGHT * 3 // 2
    for _ in range(loops):
        reader = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "quiet", "-i", CLIP, "-vf", f"scale={WIDTH}:{HEIGHT},fps={FPS}", "-f",
             "rawvideo", "-pix_fmt", "yuv420p", "-"], stdout=subprocess.PIPE)
        count = 0
        try:
            while len(frame := reader.stdout.read(size)) == size:
                count += 1
                yield frame
            if reader.wait() != 0 or count == 0:
                raise MediaError(f"ffmpeg cannot read {CLIP}")
        finally:
            reader.kill()
            reader.wait()


def _stamped(frame, counter):
    picture = np.frombuffer(frame, dtype=np.uint8).copy()
    luma = picture[:WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    chroma = picture[WIDTH * HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    checks.write_stamp(luma, counter, chroma[0], chroma[1])
    return picture.tobytes()


def _made(name, make):
    """The path of a file made by `make(path)`; it is there whole or not at all."""
    folder = os.path.join(ASSETS, "interop")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        for source in (CLIP, SPEECH):
            if not os.path.exists(source):
                raise MediaError(f"{source} is missing: run Scripts/setup.sh media")
        fresh = os.path.join(folder, f"new-{os.getpid()}-{name}")
        try:
            make(fresh)
            os.replace(fresh, path)
        finally:
            if os.path.exists(fresh):
                os.remove(fresh)
    return path


def y4m():
    """The clip once, each picture stamped with its index. Returns the path and the number of pictures."""
    def make(path):
        with open(path, "wb") as file:
            file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420\n".encode())
            for index, frame in enumerate(_frames(1)):
                file.write(b"FRAME\n" + _stamped(frame, index))

    path = _made("film.y4m", make)
    return path, os.path.getsize(path) // (WIDTH * HEIGHT * 3 // 2)


def webm():
    """The clip again and again, stamped through, with the speech: VP8 and Opus at a rate that spares both."""
    def make(path):
        writer = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}",
             "-r", f"{FPS}", "-i", "-", "-i", SPEECH, "-map", "0:v", "-map", "1:a", "-t", f"{WEBM_SECONDS}", "-c:v",
             "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "5M", "-g", "50", "-threads", "2", "-c:a",
             "libopus", "-b:a", "96k", "-f", "webm", "-y", path], stdin=subprocess.PIPE)
        for index, frame in enumerate(_frames(WEBM_SECONDS * FPS)):
            if index == WEBM_SECONDS * FPS:
                break
            writer.stdin.write(_stamped(frame, index))
        writer.stdin.close()
        if writer.wait() != 0:
            raise MediaError("ffmpeg cannot write the WebM")

    return _made("film.webm", make)


if __name__ == "__main__":
    print(y4m()[0])
    print(webm())
