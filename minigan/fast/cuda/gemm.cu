// Products of matrices while a step is recorded, where CuPy refuses to call cuBLAS.
// Twin: a @ b. c (batch, m, n) = a (batch, m, k) b (batch, k, n), a and b by strides, c contiguous.

// A block makes a square of TILE rows and columns, with TILE x TILE / 4 threads.
#define STEP (TILE / 4)

extern "C" __global__ void gemm(
    const REAL* a, const REAL* b, REAL* c, int m, int n, int k,
    long long a_batch, long long a_row, long long a_column,
    long long b_batch, long long b_row, long long b_column) {
    __shared__ REAL left[TILE][TILE + 1], right[TILE][TILE + 1];
    int x = threadIdx.x, y = threadIdx.y;
    long long row = blockIdx.y * (long long)TILE, column = blockIdx.x * (long long)TILE;
    a += blockIdx.z * a_batch;
    b += blockIdx.z * b_batch;
    REAL sum[4] = {0, 0, 0, 0};  // of the rows y, y + STEP, y + 2 STEP, y + 3 STEP of the square
    for (int from = 0; from < k; from += TILE) {
        for (int i = y; i < TILE; i += STEP) {
            bool in_a = row + i < m && from + x < k, in_b = from + i < k && column + x < n;
            left[i][x] = in_a ? a[(row + i) * a_row + (from + x) * a_column] : (REAL)0;
            right[i][x] = in_b ? b[(from + i) * b_row + (column + x) * b_column] : (REAL)0;
        }
        __syncthreads();
        for (int j = 0; j < TILE; ++j)
            for (int q = 0; q < 4; ++q) sum[q] += left[y + STEP * q][j] * right[j][x];
        __syncthreads();
    }
    for (int q = 0; q < 4; ++q)
        if (row + y + STEP * q < m && column + x < n)
            c[(blockIdx.z * (long long)m + row + y + STEP * q) * n + column + x] = sum[q];
}
