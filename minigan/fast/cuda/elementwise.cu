// One pass over the elements where NumPy makes several. Twins: minigan/ops/elementwise.py, loss.py.

enum { NONE, LEAKY_RELU, TANH, SIGMOID };  // kinds of activation; relu is leaky_relu of slope 0

__device__ REAL sigma(REAL x) {
    REAL e = exp(x < 0 ? x : -x);  // in (0, 1]: no overflow
    return (x < 0 ? e : (REAL)1) / (1 + e);
}

// y = f(x + bias) for x (n / c, c); without a bias it is null
extern "C" __global__ void bias_activation(
    REAL* y, const REAL* x, const REAL* bias, long long n, int c, int kind, double slope) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= n) return;
    REAL a = bias ? x[i] + bias[i % c] : x[i];
    if (kind == LEAKY_RELU) a = a > 0 ? a : a * (REAL)slope;
    if (kind == TANH) a = tanh(a);
    if (kind == SIGMOID) a = sigma(a);
    y[i] = a;
}

// gx = gy f'(x), from what the derivative is easiest to tell by: `at` is x for leaky_relu, else y
extern "C" __global__ void activation_backward(
    REAL* gx, const REAL* gy, const REAL* at, long long n, int kind, double slope) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= n) return;
    REAL a = at[i];
    if (kind == LEAKY_RELU) gx[i] = a > 0 ? gy[i] : gy[i] * (REAL)slope;
    if (kind == TANH) gx[i] = gy[i] * (1 - a * a);
    if (kind == SIGMOID) gx[i] = gy[i] * (a * (1 - a));
}

// y = softplus(x) - t x = -t log sigma(x) - (1 - t) log(1 - sigma(x))
extern "C" __global__ void bce_with_logits(REAL* y, const REAL* x, const REAL* t, long long n) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= n) return;
    REAL a = x[i];
    y[i] = (a > 0 ? a : (REAL)0) + log1p(exp(a < 0 ? a : -a)) - t[i] * a;
}

// gx = gy (sigma(x) - t)
extern "C" __global__ void bce_with_logits_backward(
    REAL* gx, const REAL* gy, const REAL* x, const REAL* t, long long n) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < n) gx[i] = gy[i] * (sigma(x[i]) - t[i]);
}
