"""The article's 40 steps on an NVIDIA card, with the power that TensorFlow 1's GPU kernels compute.

Needs such a card with its driver and nothing else: ``python tools/lines_on_a_gpu.py``. The instructions are
those of chapter 6, one for one: the logarithm as a sum of two float32, the card's own unit for 2**z, and an update
that is rounded once. It prints all 41 lines of the article on an NVIDIA H200.
"""

import ctypes
import struct
from pathlib import Path

PRINTOUT = Path(__file__).parents[1] / "tests" / "data" / "article-printout.txt"
STEPS = 40

PROGRAM = """
.version 6.0
.target sm_50
.address_size 64
.visible .entry descend(.param .u64 out)
{
.reg .f32 x, y, u, inverse, s, s2, series, high, low, log, log_low, exponent, power, w, gradient, lr, loss, t;
.reg .u32 step;
.reg .u64 to;
.reg .pred more;
ld.param.u64 to, [out];
cvta.to.global.u64 to, to;
mov.f32 x, 0.99;
mov.f32 w, 5.0;
mov.f32 lr, 0.1;
mov.u32 step, 0;
NEXT:
add.rn.f32 gradient, w, 1.0;  // w - lr * 2 (w + 1), rounded once
add.rn.f32 gradient, gradient, gradient;
neg.f32 t, lr;
fma.rn.f32 w, t, gradient, w;
add.rn.f32 loss, w, 1.0;
mul.rn.f32 loss, loss, loss;
add.u32 step, step, 1;
cvt.rn.f32.u32 y, step;
add.rn.f32 u, x, -1.0;  // log x = s + s**3 / 12 + s**5 / 80 + ...
add.rn.f32 t, x, 1.0;
rcp.rn.f32 inverse, t;
add.rn.f32 t, u, u;
mul.rn.f32 s, inverse, t;
mul.rn.f32 s2, s, s;
fma.rn.f32 series, 0.0023337002, s2, 0.012492987;
fma.rn.f32 series, series, s2, 0.08333347;
mul.rn.f32 series, series, s2;
mul.rn.f32 series, series, s;
add.rn.f32 high, s, series;
sub.rn.f32 t, s, high;
add.rn.f32 low, series, t;
sub.rn.f32 t, u, s;  // what the quotient s has lost
add.rn.f32 t, t, t;
neg.f32 log, s;
fma.rn.f32 t, log, u, t;
fma.rn.f32 low, inverse, t, low;
add.rn.f32 log, high, low;
sub.rn.f32 t, high, log;
add.rn.f32 log_low, low, t;
mul.rn.f32 high, y, log;  // y log x, again in two parts
neg.f32 t, high;
fma.rn.f32 t, y, log, t;
fma.rn.f32 low, y, log_low, t;
add.rn.f32 exponent, high, low;
sub.rn.f32 t, high, exponent;
add.rn.f32 low, low, t;
mul.rn.f32 exponent, exponent, 1.442695;
ex2.approx.ftz.f32 power, exponent;
fma.rn.f32 power, power, low, power;
mul.rn.f32 lr, 0.1, power;
st.global.f32 [to], lr;
st.global.f32 [to + 4], loss;
st.global.f32 [to + 8], w;
add.u64 to, to, 12;
setp.lt.u32 more, step, STEPS;
@more bra NEXT;
ret;
}
"""


def as_hexadecimal(program):
    """PTX wants its float32 constants as bits: 0f3DCCCCCD for 0.1."""
    words = program.replace("STEPS", str(STEPS)).replace(";", " ;").replace(",", " ,").split("\n")
    lines = []
    for line in words:
        code, slashes, remark = line.partition("//")
        if ".f32" in code:
            code = " ".join(number_as_bits(word) for word in code.split())
        lines.append(code + slashes + remark)
    return "\n".join(lines).encode()


def number_as_bits(word):
    try:
        return f"0f{struct.unpack('<I', struct.pack('<f', float(word)))[0]:08X}"
    except ValueError:
        return word


def run(program):
    """Run the program on the first card; return the card's name and (rate, loss, w) of every step."""
    cuda = ctypes.CDLL("libcuda.so.1")

    def call(name, *arguments):
        status = getattr(cuda, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} returned {status}")

    device, context, module, function = (
        ctypes.c_int(),
        ctypes.c_void_p(),
        ctypes.c_void_p(),
        ctypes.c_void_p(),
    )
    memory, name = ctypes.c_uint64(), ctypes.create_string_buffer(100)
    numbers = (ctypes.c_float * (3 * STEPS))()
    size = ctypes.c_size_t(ctypes.sizeof(numbers))
    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDeviceGetName", name, 100, device)
    call("cuCtxCreate_v2", ctypes.byref(context), 0, device)
    call("cuModuleLoadData", ctypes.byref(module), program)
    call("cuModuleGetFunction", ctypes.byref(function), module, b"descend")
    call("cuMemAlloc_v2", ctypes.byref(memory), size)
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(memory))
    call("cuLaunchKernel", function, 1, 1, 1, 1, 1, 1, 0, None, arguments, None)
    call("cuMemcpyDtoH_v2", numbers, memory, size)
    return name.value.decode(), [numbers[i : i + 3] for i in range(0, len(numbers), 3)]


def main():
    card, steps = run(as_hexadecimal(PROGRAM))
    # the article's own spelling of its key
    lines = [f"step:{i},learining_rate:{lr:g},loss:{loss:g},w:{w:g}" for i, (lr, loss, w) in enumerate(steps)]
    lines.append(f"final w: {steps[-1][2]:.7g}")
    article = PRINTOUT.read_text(encoding="utf8").splitlines()
    differ = [i for i, pair in enumerate(zip(lines, article, strict=True)) if len(set(pair)) > 1]
    print(f"{card}: {len(lines) - len(differ)} of {len(article)} lines agree, not {differ}")


if __name__ == "__main__":
    main()
