"""
Digits, on the kernels
======================

Five functions of ``mlp_c.kernels`` are a whole training loop. They work on your own NumPy arrays
where these lie, and everything between two of them is an array that you may print, draw or
change.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from mlp_c.kernels import backward, forward, initialize, sgd_step, softmax_cross_entropy, train_step

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
print(f"{len(X_train)} digits of 8 x 8 pixels to train on, {len(X_test)} to test with")

# %%
# The loop
# --------
#
# An epoch takes all rows once, in a new order, in batches of 64. ``forward`` returns the
# activations of each layer, of which the last are the logits. ``softmax_cross_entropy`` returns
# the mean loss of the batch and its gradient; ``backward`` turns that into gradients of the
# weights and biases, and ``sgd_step`` changes these in place. Along the way we keep the length of
# each layer's gradient.


def train(n_epochs, batch_size=64, learning_rate=0.2):
    random_state = np.random.RandomState(42)
    weights, biases = initialize([64, 64, 10], random_state=random_state)
    losses, lengths = [], []
    for _ in range(n_epochs):
        order = random_state.permutation(len(X_train))
        for rows in np.array_split(order, len(order) // batch_size):
            activations = forward(X_train[rows], weights, biases)
            loss, dlogits = softmax_cross_entropy(activations[-1], y_train[rows])
            dweights, dbiases = backward(X_train[rows], activations, dlogits, weights)
            sgd_step(weights + biases, dweights + dbiases, learning_rate)
            losses.append(loss)
            lengths.append([np.linalg.norm(dW) for dW in dweights])
    return weights, biases, np.array(losses), np.array(lengths)


weights, biases, losses, lengths = train(n_epochs=30)
predicted = forward(X_test, weights, biases)[-1].argmax(axis=1)
print(f"{np.mean(predicted == y_test):.1%} of the test digits are named right")

# %%
# What happened in between
# ------------------------
#
# Single batches jump (thin), so the mean over an epoch is drawn as well (thick). The loss and the
# gradients of both layers shrink together: the steps become short although the learning rate
# stays the same.

plt.style.use("petroff10")
n_batches = len(losses) // 30
steps = np.arange(len(losses)) / n_batches
epochs = np.arange(30) + 0.5
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.plot(steps, losses, color="C0", linewidth=0.5, alpha=0.6, label="a batch")
left.plot(epochs, losses.reshape(30, -1).mean(axis=1), color="C0", linewidth=2.5, label="an epoch")
left.set(yscale="log", xlabel="epochs", ylabel="cross-entropy (nats)", title="Loss")
left.legend()
for layer, length in enumerate(lengths.T):
    mean = length.reshape(30, -1).mean(axis=1)
    right.plot(epochs, mean, color=f"C{layer}", marker="os"[layer], label=f"layer {layer + 1}")
right.set(ylim=0, xlabel="epochs", ylabel="norm (nats per unit of weight)", title="Gradients")
right.legend()
plt.show()

# %%
# The same step in one call
# -------------------------
#
# A loop that looks at nothing in between needs ``train_step`` alone. It takes the rows of a batch
# by their numbers, copies none of them, and comes to the same bits.

random_state = np.random.RandomState(42)
again, again_biases = initialize([64, 64, 10], random_state=random_state)
for _ in range(30):
    order = random_state.permutation(len(X_train))
    for rows in np.array_split(order, len(order) // 64):
        train_step(X_train, y_train, again, again_biases, 0.2, rows=rows)
print("same bits:", all(map(np.array_equal, weights + biases, again + again_biases)))
