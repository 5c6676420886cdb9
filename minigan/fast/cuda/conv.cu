// Pictures as matrices and back, a thread an element. Twin: minigan/ops/conv.py.

// columns (groups, N oh ow, kh kw C/groups): x under each position of the kernel, 0 outside of it
extern "C" __global__ void unfold(
    REAL* columns, const REAL* x, int n, int channels, int height, int width, int oh, int ow,
    int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw, int groups,
    long long stride_n, long long stride_c, long long stride_h, long long stride_w) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    int c = channels / groups;
    if (i >= (long long)n * oh * ow * kh * kw * channels) return;
    long long rest = i;
    int channel = rest % c; rest /= c;
    int v = rest % kw; rest /= kw;
    int u = rest % kh; rest /= kh;
    int column = rest % ow; rest /= ow;
    int row = rest % oh; rest /= oh;
    int picture = rest % n, group = rest / n;
    int h = row * sh + u * dh - ph, w = column * sw + v * dw - pw;
    bool inside = h >= 0 && h < height && w >= 0 && w < width;
    columns[i] = inside ? x[picture * stride_n + (group * c + channel) * stride_c
                            + h * stride_h + w * stride_w] : (REAL)0;
}

// y (N, groups C, H, W): each position gathers what was spread to it, so that no two threads add
// to one element; spread (groups, N oh ow, C kh kw), bias (groups C,) or null
extern "C" __global__ void fold(
    REAL* y, const REAL* spread, const REAL* bias, int n, int channels, int height, int width,
    int oh, int ow, int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw, int groups) {
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= (long long)n * channels * height * width) return;
    int c = channels / groups;
    int w = i % width, h = i / width % height;
    int channel = i / ((long long)width * height) % channels;
    int picture = i / ((long long)width * height * channels);
    int group = channel / c;
    REAL sum = bias ? bias[channel] : (REAL)0;
    for (int u = 0; u < kh; ++u) {
        int top = h + ph - u * dh;
        if (top < 0 || top % sh || top / sh >= oh) continue;
        for (int v = 0; v < kw; ++v) {
            int left = w + pw - v * dw;
            if (left < 0 || left % sw || left / sw >= ow) continue;
            long long row = (((long long)group * n + picture) * oh + top / sh) * ow + left / sw;
            sum += spread[((row * c + channel % c) * kh + u) * kw + v];
        }
    }
    y[i] = sum;
}
