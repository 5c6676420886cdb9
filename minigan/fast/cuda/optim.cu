// Updates of flat arrays, a thread an element. Twins: minigan/optim/adam.py, minigan/gan/ema.py.
//
// `renewed`, if it is not null, holds the numbers that change from step to step: a recorded step
// gets them anew at every replay.

// m = beta1 m + (1 - beta1) g, stepping from the nearer end as PyTorch's lerp does
__device__ REAL lerp(REAL m, REAL g, double weight) {
    REAL d = g - m;
    return weight < 0.5 ? m + (REAL)weight * d : g - d * (REAL)(1 - weight);
}

// Adam (Kingma and Ba 2015, algorithm 1), AdamW where `decoupled`; v_max is null without amsgrad.
extern "C" __global__ void adam(
    REAL* p, const REAL* grad, REAL* m, REAL* v, REAL* v_max, long long n,
    double beta1, double beta2, double eps, double decay, int decoupled, int maximize,
    double pace, double correction, double shrink, const double* renewed) {
    if (renewed) { pace = renewed[0]; correction = renewed[1]; shrink = renewed[2]; }
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= n) return;
    REAL weight = p[i], g = maximize ? -grad[i] : grad[i];
    if (decay != 0) {
        if (decoupled) weight *= (REAL)shrink;
        else g += weight * (REAL)decay;
    }
    m[i] = lerp(m[i], g, 1 - beta1);
    REAL square = v[i] * (REAL)beta2 + g * (REAL)(1 - beta2) * g;
    v[i] = square;
    if (v_max) square = v_max[i] = square > v_max[i] ? square : v_max[i];
    p[i] = weight + m[i] * (REAL)pace / (sqrt(square) / (REAL)correction + (REAL)eps);
}

// average = keep average + follow now
extern "C" __global__ void blend(
    REAL* average, const REAL* now, long long n, double keep, double follow,
    const double* renewed) {
    if (renewed) { keep = renewed[0]; follow = renewed[1]; }
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < n) average[i] = average[i] * (REAL)keep + (REAL)follow * now[i];
}
