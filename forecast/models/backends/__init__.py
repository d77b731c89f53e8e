"""Whatever computes the network: Keras, which trains it, ONNX Runtime, and NumPy."""
