# bench/compare's contestant: Debian's python3-socketio and python3-engineio, from the bytes of a frame or body to a
# packet and back. The arguments are the corpus's directory and the file of the mix. See contestant.hpp.

import sys
import time
from importlib.metadata import version

import engineio.packet
import engineio.payload
import socketio.packet

corpus, mix_file = sys.argv[1:]
engineio.payload.Payload.max_decode_packets = 1000


def read(name):
    with open(f'{corpus}/{name}', 'rb') as file:
        return file.read()


# A packet from Engine.IO's packets: one of text, and its attachments.
class Decoder:
    def __init__(self):
        self.pending = None

    def take(self, message):
        assert message.packet_type == engineio.packet.MESSAGE
        if self.pending is None:
            packet = socketio.packet.Packet(encoded_packet=message.data)
            if packet.attachment_count == 0:
                return packet
            self.pending = packet
        elif self.pending.add_attachment(message.data):
            packet, self.pending = self.pending, None
            return packet
        return None


decoder = Decoder()


def decode_frame(frame, attachments=()):
    packet = decoder.take(engineio.packet.Packet(encoded_packet=frame.decode('utf-8')))
    for attachment in attachments:
        packet = decoder.take(engineio.packet.Packet(encoded_packet=attachment))
    return packet


def decode_body(body):
    payload = engineio.payload.Payload(encoded_payload=body.decode('utf-8'))
    return [packet for packet in map(decoder.take, payload.packets) if packet]


def messages_of(value):
    encoded = socketio.packet.Packet(socketio.packet.EVENT, namespace=value.namespace, id=value.id,
                                     data=value.data).encode()
    parts = encoded if isinstance(encoded, list) else [encoded]
    return [engineio.packet.Packet(engineio.packet.MESSAGE, part) for part in parts]


def encode_frames(value):
    frames = [message.encode() for message in messages_of(value)]
    return [frame.encode('utf-8') if isinstance(frame, str) else frame for frame in frames]


def encode_body(values):
    messages = [message for value in values for message in messages_of(value)]
    return engineio.payload.Payload(packets=messages).encode().encode('utf-8')


cases = []


def add(name, items, work):
    work()
    print(f'case\tPython\t{name}\t{items}')
    cases.append(work)


def add_frame(name, attachments=()):
    frame = read(f'{name}.txt')
    value = decode_frame(frame, attachments)
    if name != 'P4':  # Python escapes what is beyond ASCII
        assert encode_frames(value)[0] == frame, name
    add(f'decode/{name}', 1, lambda: decode_frame(frame, attachments))
    add(f'encode/{name}', 1, lambda: encode_frames(value))


def add_body(name):
    body = read(f'{name}.txt')
    values = decode_body(body)
    assert encode_body(values) == body, name
    add(f'decode/{name}', len(values), lambda: decode_body(body))
    add(f'encode/{name}', len(values), lambda: encode_body(values))


def add_mix():
    with open(mix_file, 'rb') as file:
        mix = file.read().splitlines()
    values = [decode_frame(frame) for frame in mix]
    add('decode/mix', len(mix), lambda: [decode_frame(frame) for frame in mix])
    add('encode/mix', len(mix), lambda: [encode_frames(value) for value in values])


print(f'about\tPython\t{sys.version.split()[0]}, python-engineio {version("python-engineio")}, '
      f'python-socketio {version("python-socketio")}')
for packet_name in ('P1', 'P2', 'P3', 'P4'):
    add_frame(packet_name)
add_frame('P5', (read('P5.bin0'), read('P5.bin1')))
add_body('P6')
add_body('P7')
add_mix()
print('ready', flush=True)
for line in sys.stdin:
    index, calls = map(int, line.split())
    work = cases[index]
    start = time.process_time_ns()
    for _ in range(calls):
        work()
    print(time.process_time_ns() - start, flush=True)
