// Batch normalisation of x (N, C, S), read by strides. Twin: minigan/ops/norm.py.

// A block of THREADS threads has one channel.

// The sums of two numbers over the block's threads, in every thread.
__device__ void sum_of_block(double* a, double* b) {
    __shared__ double parts[2 * THREADS];
    int t = threadIdx.x;
    __syncthreads();
    parts[t] = *a; parts[THREADS + t] = *b;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half) {
            parts[t] += parts[t + half];
            parts[THREADS + t] += parts[THREADS + t + half];
        }
    }
    __syncthreads();
    *a = parts[0]; *b = parts[THREADS];
}

#define AT(i) (((i) / s) * stride_n + c * stride_c + ((i) % s) * stride_s)

// mean and variance (without correction) of every channel: two passes, as the twin's
extern "C" __global__ void batch_stats(
    const REAL* x, REAL* mean, REAL* variance, long long n, long long s,
    long long stride_n, long long stride_c, long long stride_s) {
    long long c = blockIdx.x;
    double sum = 0, nothing = 0;
    for (long long i = threadIdx.x; i < n * s; i += THREADS) sum += x[AT(i)];
    sum_of_block(&sum, &nothing);
    REAL centre = (REAL)(sum / (n * s));
    double squares = 0;
    for (long long i = threadIdx.x; i < n * s; i += THREADS) {
        REAL d = x[AT(i)] - centre;
        squares += d * d;
    }
    sum_of_block(&squares, &nothing);
    if (threadIdx.x == 0) { mean[c] = centre; variance[c] = (REAL)(squares / (n * s)); }
}

// y = (x - mean) / sqrt(variance + eps) w + b; y is C-contiguous
extern "C" __global__ void batch_norm(
    const REAL* x, const REAL* mean, const REAL* variance, const REAL* w, const REAL* b, REAL* y,
    double eps, long long n, long long channels, long long s,
    long long stride_n, long long stride_c, long long stride_s) {
    long long j = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (j >= n * channels * s) return;
    long long c = j / s % channels, i = j / (s * channels) * s + j % s;
    REAL scale = (REAL)1 / sqrt(variance[c] + (REAL)eps) * w[c];
    y[j] = (x[AT(i)] - mean[c]) * scale + b[c];
}

// gw = sum g (x - mean) / sqrt(variance + eps), gb = sum g: a block a channel; g is C-contiguous
extern "C" __global__ void batch_norm_sums(
    const REAL* g, const REAL* x, const REAL* mean, const REAL* variance, REAL* gw, REAL* gb,
    double eps, long long n, long long channels, long long s,
    long long stride_n, long long stride_c, long long stride_s) {
    long long c = blockIdx.x;
    double weight = 0, bias = 0;
    for (long long i = threadIdx.x; i < n * s; i += THREADS) {
        REAL gy = g[(i / s * channels + c) * s + i % s];
        weight += gy * (x[AT(i)] - mean[c]);
        bias += gy;
    }
    sum_of_block(&weight, &bias);
    if (threadIdx.x == 0) {
        gw[c] = (REAL)weight / sqrt(variance[c] + (REAL)eps);
        gb[c] = (REAL)bias;
    }
}

// gx = w / sqrt(variance + eps) (g - gb / m - xhat gw / m), with m elements in a channel
extern "C" __global__ void batch_norm_backward(
    const REAL* g, const REAL* x, const REAL* mean, const REAL* variance, const REAL* w,
    const REAL* gw, const REAL* gb, REAL* gx, double eps, long long n, long long channels,
    long long s, long long stride_n, long long stride_c, long long stride_s) {
    long long j = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (j >= n * channels * s) return;
    long long c = j / s % channels, i = j / (s * channels) * s + j % s;
    REAL scale = (REAL)1 / sqrt(variance[c] + (REAL)eps), m = (REAL)(n * s);
    REAL standard = (x[AT(i)] - mean[c]) * scale;
    gx[j] = scale * w[c] * (g[j] - gb[c] / m - standard * gw[c] / m);
}
