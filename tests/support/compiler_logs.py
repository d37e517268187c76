"""What real Edge TPU compilers printed, as recorded in public documents (source named at each)."""

from __future__ import annotations

# github.com/WongKinYiu/yolov7/pull/1672, up to where its table begins: version 16, everything mapped
LOG_MAPPED = """\
Edge TPU Compiler version 16.0.384591198
Searching for valid delegate with step 10
Try to compile segment with 246 ops
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 3133 ms.

Input model: runs/train/exp8/weights/best-int8.tflite
Input size: 6.00MiB
Output model: runs/train/exp8/weights/best-int8_edgetpu.tflite
Output size: 6.47MiB
On-chip memory used for caching model parameters: 5.90MiB
On-chip memory remaining for caching model parameters: 1.16MiB
Off-chip memory used for streaming uncached model parameters: 41.75KiB
Number of Edge TPU subgraphs: 1
Total number of operations: 246
Operation log: runs/train/exp8/weights/best-int8_edgetpu.log
"""
# slideshare.net/ssuser479fa3 "google-edge-tpu-tensorflow-lite-2-ai": version 1 refuses a float model
LOG_REFUSED = """\
Edge TPU Compiler version 1.0.249710469
INFO: Initialized TensorFlow Lite runtime.
Invalid model: mnasnet_0.5_224.tflite
"""
