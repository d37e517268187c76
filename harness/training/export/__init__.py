"""Export to TFLite and ONNX, and running the exported files. Converters are imported when used."""
