"""Export to TFLite and ONNX, and running what came out. Converters are imported when used."""
