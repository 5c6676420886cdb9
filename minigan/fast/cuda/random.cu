// Random numbers from a seed and a counter. Twin: minigan/random.py.
//
// Philox4x64-10 (Salmon et al. 2011): block number i is a function of the key and of i, so every
// thread makes a block of its own. NumPy counts up before it draws: its first block is counter + 1.

typedef unsigned long long word;

__device__ void philox(word block, word seed, word rank, word* c) {
    c[0] = block; c[1] = c[2] = c[3] = 0;
    for (int round = 0; round < 10; ++round) {
        word a = 0xD2E7470EE14C6C93ULL, b = 0xCA5A826395121157ULL;
        word high0 = __umul64hi(a, c[0]), low0 = a * c[0];
        word high2 = __umul64hi(b, c[2]), low2 = b * c[2];
        c[0] = high2 ^ c[1] ^ seed; c[1] = low2;
        c[2] = high0 ^ c[3] ^ rank; c[3] = low0;
        seed += 0x9E3779B97F4A7C15ULL; rank += 0xBB67AE8584CAA73BULL;
    }
}

// Uniform on [0, 1): the leading bits of each half word (float), of each word (double).
// `renewed`, if it is not null, holds the three numbers: a recorded step gets them at every replay.
__device__ int uniforms(
    word block, word seed, word rank, word counter, const word* renewed, REAL* u) {
    if (renewed) { seed = renewed[0]; rank = renewed[1]; counter = renewed[2]; }
    word c[4];
    philox(counter + 1 + block, seed, rank, c);
    if constexpr (sizeof(REAL) == 8) {
        for (int i = 0; i < 4; ++i) u[i] = (REAL)((c[i] >> 11) * (1.0 / 9007199254740992.0));
        return 4;
    } else {
        for (int i = 0; i < 4; ++i) {
            u[2 * i] = (REAL)(((unsigned)c[i] >> 8) * (1.0f / 16777216.0f));
            u[2 * i + 1] = (REAL)(((unsigned)(c[i] >> 32) >> 8) * (1.0f / 16777216.0f));
        }
        return 8;
    }
}

extern "C" __global__ void uniform(
    REAL* y, long long n, word seed, word rank, word counter, const word* renewed) {
    word block = blockIdx.x * (word)blockDim.x + threadIdx.x;
    REAL u[8];
    int made = uniforms(block, seed, rank, counter, renewed, u);
    for (int i = 0; i < made; ++i)
        if ((long long)block * made + i < n) y[block * made + i] = u[i];
}

// Box and Muller 1958: u, v become sqrt(-2 ln(1 - u)) (cos 2 pi v, sin 2 pi v).
extern "C" __global__ void normal(
    REAL* y, long long n, word seed, word rank, word counter, const word* renewed) {
    word block = blockIdx.x * (word)blockDim.x + threadIdx.x;
    REAL u[8];
    int made = uniforms(block, seed, rank, counter, renewed, u);
    for (int i = 0; i < made; i += 2) {
        REAL radius = sqrt((REAL)-2 * log((REAL)1 - u[i]));
        REAL angle = u[i + 1] * (REAL)6.283185307179586;
        long long at = (long long)block * made + i;
        if (at < n) y[at] = radius * cos(angle);
        if (at + 1 < n) y[at + 1] = radius * sin(angle);
    }
}
